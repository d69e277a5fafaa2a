import { reasonsFor } from '../../delegation/approvals/approval.js'
import { type RequireApprovalDeps, requireApproval, type TakenApproval } from '../../delegation/approvals/require.js'
import type { GrantedIntroduction } from '../../delegation/introductions/decide/granted.js'
import type { TaskDependencies } from '../../delegation/tasks/task-dependencies.js'
import { type AgentId, type ApprovalId, ClientId, type SubjectId } from '../../protocol/ids.js'
import type { Delegation, Scope } from '../../protocol/rights.js'
import type { GrantRequest } from '../issue.js'
import type { Subject } from './subject.js'
import type { Target } from './target.js'
import type { TaskCreation } from './task.js'

/** An introduction, or what it would be with the delegation that a request asks for. */
export interface Candidate extends GrantedIntroduction {
  /** True if only an approval can give the delegation. */
  readonly isBeyondPolicy?: boolean
}

/**
 * The introductions to choose from. Introductions of an open policy are listed a second time, after all others and with the
 * requested delegation, which an open policy never grants: a token under such a candidate needs an approval.
 */
export const candidatesOf = (introductions: readonly GrantedIntroduction[], delegation: Delegation | undefined): readonly Candidate[] => [
  ...introductions,
  ...(delegation ? introductions.filter(({ byPolicy, bounds }) => byPolicy && bounds.delegation === undefined) : []).map(
    (introduction) => ({ ...introduction, bounds: { ...introduction.bounds, delegation }, isBeyondPolicy: true }),
  ),
]

interface DecidedToken {
  readonly presenter: AgentId
  readonly target: Target
  readonly subject: Pick<Subject, 'kind' | 'chain' | 'person'>
  /** The `sub` of the token. */
  readonly sub: SubjectId
  readonly introduction: Candidate
  readonly scopes: readonly Scope[]
  readonly tools?: readonly string[] | undefined
  readonly resources?: readonly string[] | undefined
  readonly task: TaskDependencies | undefined
  readonly creation: TaskCreation | undefined
  readonly delegation: Delegation | undefined
  readonly approvalId: ApprovalId | undefined
}

/** The approval that the commit of a decided token takes; undefined if it needs none. */
export function approvalFor(
  deps: RequireApprovalDeps,
  { barrier, jkt, attempt }: Pick<GrantRequest, 'barrier' | 'jkt' | 'attempt'>,
  { presenter, target, subject, sub, introduction, scopes, tools, resources, task, creation, delegation, approvalId }: DecidedToken,
): Promise<TakenApproval | undefined> {
  const { isBeyondPolicy = false } = introduction
  return requireApproval(deps, barrier, {
    approvalId,
    attempt,
    because: reasonsFor(target.resource, scopes, { delegation, isBeyondPolicy }),
    request: {
      from: presenter,
      to: target.id,
      audience: target.audience,
      subject: sub,
      // Without a person the first agent of the chain is the subject
      actors: subject.chain.slice(subject.person && subject.kind === 'introduced' ? 0 : 1).map((actor) => ClientId.parse(actor)),
      bounds: {
        scopes: [...scopes],
        ...(tools && { tools: [...tools] }),
        ...(resources && { resources: [...resources] }),
        ...(delegation && { delegation }),
      },
      ...(creation ? { newTask: newTaskOf(creation) } : task && { taskId: task.id }),
      ...(jkt !== undefined && { jkt }),
    },
  })
}

/** A task that does not exist yet has no id that would be the same when the request is repeated. */
const newTaskOf = ({ task: { description, reference, parentTaskId } }: TaskCreation) => ({
  description,
  ...(reference !== undefined && { reference }),
  ...(parentTaskId && { parentTaskId }),
})
