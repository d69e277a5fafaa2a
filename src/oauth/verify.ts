import type { Audit } from '../audit/audit.js'
import { auditDraft } from '../audit/audit-draft.js'
import type { KeysFor } from '../credentials/jose/jwt.js'
import { findUses, type Profiles } from '../delegation/uses/find.js'
import { profiledToken } from '../delegation/uses/profile.js'
import { hasUsedBefore, isUnusual, type Risk, riskOf, UNKNOWN_RISK } from '../delegation/uses/risk.js'
import { type UsesStore, usedAudience } from '../delegation/uses/store.js'
import type { Caller } from '../http/caller.js'
import { type AccessTokenClaims, presenterOf } from '../protocol/claims.js'
import type { TaskId } from '../protocol/ids.js'
import { coveredBySome, type Scope } from '../protocol/rights.js'
import { stands } from '../protocol/standing.js'
import { findToken, mayInspect } from './verification/find-token.js'
import { type TaskContextDeps, type TokenTask, tasksOf } from './verification/task-context.js'

export interface VerifyDeps extends TaskContextDeps {
  readonly tokenKeys: KeysFor
  readonly audit: Audit
  readonly uses: UsesStore
  readonly profiles: Pick<Profiles, 'find'>
}

/** A call that the holder of a token makes. What is absent is not checked. */
interface VerifiedCall {
  readonly scopes: readonly Scope[]
  readonly tool?: string | undefined
  readonly resource?: string | undefined
  readonly requiredTools: readonly string[]
  readonly taskId?: TaskId | undefined
  readonly parentTaskId?: TaskId | undefined
  readonly description?: string | undefined
}

/** Reasons for which a token does not fit a call, or is not known to fit the history of its client. */
type VerificationReason =
  | 'unknown_token'
  | 'token_revoked'
  | 'scope_not_covered'
  | 'tool_not_covered'
  | 'resource_not_covered'
  | 'task_differs'
  | 'parent_task_differs'
  | 'task_ended'
  | 'task_description_differs'
  | 'not_enough_history'

export interface Verification {
  /** The token is one of this registry, has not expired, stands, and covers every given scope, tool and resource. */
  readonly isValid: boolean
  /** The scope of the token. */
  readonly scope: string | null
  /** The given task is the token's task, the given parent task is one of its parents, and none of them has ended. */
  readonly taskContextValid: boolean
  /** The client has used the scopes and the tool at this audience before, under an earlier task, and the risk is low. Null without enough history. */
  readonly historicalPatternMatch: boolean | null
  readonly reasons: readonly VerificationReason[]
  readonly task: { readonly id: TaskId; readonly description?: string; readonly state: string; readonly parents: readonly TaskId[] } | null
  /** Uses of the client at this audience, and its earlier tasks there. */
  readonly history: { readonly uses: number; readonly lastUsedAt?: number | undefined; readonly previousTasks: readonly TaskId[] } | null
  readonly risk: Risk
}

/** The answer for a text that is no token, an expired one, and one that the caller may not see. */
const UNKNOWN: Verification = {
  isValid: false,
  scope: null,
  taskContextValid: false,
  historicalPatternMatch: null,
  reasons: ['unknown_token'],
  task: null,
  history: null,
  risk: UNKNOWN_RISK,
}

/**
 * Says whether a token fits a call, and how usual it is for its client. For the token's audience and client, administrators of the client's
 * organisation, and operators. Each verification is an audit row, which the client's organisation can read too. It revokes nothing.
 */
export const verifyToken = (deps: VerifyDeps, caller: Caller, token: string, call: VerifiedCall): Promise<Verification> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    const found = await findToken(deps, token, now)
    const visible = found && (await mayInspect(deps, caller, found.claims)) ? found : undefined
    const verification = visible
      ? await verify(deps, caller, visible.claims, { call, now, isStanding: stands(deps.trustLog.ended, visible.dependsOn) })
      : UNKNOWN
    const { isValid, taskContextValid, risk } = verification
    await deps.audit.record(
      auditDraft(caller, 'tokens.verify', {
        ...(visible && {
          ...(visible.claims.organization_id && { otherOrgId: visible.claims.organization_id }),
          subject: visible.claims.jti,
          ...(visible.claims.task_id && { taskId: visible.claims.task_id }),
        }),
        facts: { isValid, taskContextValid, risk: risk.level },
      }),
    )
    return verification
  })

async function verify(
  deps: VerifyDeps,
  caller: Caller,
  claims: AccessTokenClaims,
  { call, now, isStanding }: { readonly call: VerifiedCall; readonly now: number; readonly isStanding: boolean },
): Promise<Verification> {
  const token = profiledToken(claims)
  const [tasks, profile, used] = await Promise.all([
    tasksOf(deps, caller, claims, now, deps.audit.history(caller)),
    deps.profiles.find(presenterOf(claims)),
    findUses(deps, { kind: 'audience', id: presenterOf(claims), audience: usedAudience(claims.aud, claims.standing.dependsOn) }),
  ])
  const risk = riskOf(profile, token)
  const scopes = call.scopes.length > 0 ? call.scopes : claims.scope.split(' ')
  const invalid = [...(isStanding ? [] : ['token_revoked' as const]), ...uncovered(claims, call)]
  const misplaced = taskFaults(claims, tasks, call)
  const [current] = tasks
  const isDescribedOtherwise =
    call.description !== undefined && current?.description !== undefined && call.description !== current.description
  return {
    isValid: invalid.length === 0,
    scope: claims.scope,
    taskContextValid: misplaced.length === 0,
    historicalPatternMatch:
      profile === undefined || risk.score === null ? null : !isUnusual(risk) && hasUsedBefore(profile, token, { scopes, tool: call.tool }),
    reasons: [
      ...invalid,
      ...misplaced,
      ...(isDescribedOtherwise ? ['task_description_differs' as const] : []),
      ...(risk.score === null ? ['not_enough_history' as const] : []),
    ],
    task: current ? { ...described(current), parents: claims.parent_task_ids ?? [] } : null,
    history: {
      uses: used.uses,
      lastUsedAt: used.lastUsedAt,
      previousTasks: used.tasks.filter((task) => task !== claims.task_id),
    },
    risk,
  }
}

const described = ({ id, state, description }: TokenTask) => ({ id, state, ...(description !== undefined && { description }) })

function uncovered({ scope, allowed_tools, allowed_resources }: AccessTokenClaims, call: VerifiedCall): readonly VerificationReason[] {
  const { scopes, requiredTools, tool, resource } = call
  const covers = (allowed: readonly string[] | undefined, names: readonly string[]) =>
    allowed === undefined || names.every((name) => coveredBySome(allowed, name))
  return [
    ...(covers(scope.split(' '), scopes) ? [] : ['scope_not_covered' as const]),
    ...(covers(allowed_tools, [...requiredTools, ...(tool === undefined ? [] : [tool])]) ? [] : ['tool_not_covered' as const]),
    ...(covers(allowed_resources, resource === undefined ? [] : [resource]) ? [] : ['resource_not_covered' as const]),
  ]
}

function taskFaults(
  { task_id, parent_task_ids = [] }: AccessTokenClaims,
  tasks: readonly TokenTask[],
  { taskId, parentTaskId }: VerifiedCall,
): readonly VerificationReason[] {
  return [
    ...(taskId !== undefined && taskId !== task_id ? ['task_differs' as const] : []),
    ...(parentTaskId !== undefined && !parent_task_ids.includes(parentTaskId) ? ['parent_task_differs' as const] : []),
    ...(tasks.some(({ state }) => state !== 'active') ? ['task_ended' as const] : []),
  ]
}
