import { z } from 'zod'
import type { Audit, AuditDraft } from '../audit/audit.js'
import { auditDraft } from '../audit/audit-draft.js'
import type { KeysFor } from '../credentials/jose/jwt.js'
import { requireMayEnd } from '../delegation/tasks/end.js'
import { endingOfTask } from '../delegation/tasks/find.js'
import { MAX_TASK_DEPTH, type Task, type TasksStore } from '../delegation/tasks/store.js'
import { refuse } from '../errors.js'
import { type Caller, mayOversee } from '../http/caller.js'
import { SKEW_SECONDS } from '../protocol/claims.js'
import type { RevocationReason } from '../protocol/end-reason.js'
import { handleOfToken } from '../protocol/handles.js'
import { TaskId, type TokenId } from '../protocol/ids.js'
import type { Ending, Position } from '../protocol/log/entry.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import type { TokenRecord, TokensStore } from './store.js'
import { findToken, type Viewer } from './verification/find-token.js'

export interface RevokeTokenDeps {
  readonly tokens: TokensStore
  readonly tasks: TasksStore
  readonly trustLog: TrustLog
  readonly audit: Audit
  readonly tokenKeys: KeysFor
  readonly issuer: string
}

/** Tasks that end with a token: at most a task and its ancestors. */
export const TaskChain = z
  .array(TaskId)
  .min(1)
  .max(MAX_TASK_DEPTH + 1)
  .refine((ids) => new Set(ids).size === ids.length, 'a task is repeated')

/** A revocation by a caller. */
interface Revocation {
  /** The token, if it has not expired. */
  readonly token: Pick<TokenRecord, 'id' | 'expiresAt'> | undefined
  /** Tasks that end with the token. */
  readonly taskIds: readonly TaskId[]
  readonly because: RevocationReason
  /** The audit row, without what the tasks add to it. */
  readonly draft: AuditDraft
}

/**
 * Revokes a token and every token that came from it, with tasks, for its client and for administrators of the client's organisation, and operators. If the
 * caller may not end one of the tasks, nothing is revoked.
 */
export async function revokeToken(
  deps: RevokeTokenDeps,
  caller: Caller,
  named: { readonly tokenId: TokenId } | { readonly token: string },
  taskIds: readonly TaskId[],
  because: RevocationReason,
): Promise<{
  readonly revoked: true
  /** True if the call named tasks. All of them have ended. */
  readonly affectedTasksTerminated: boolean
  readonly tasks: readonly TaskId[]
  readonly position: Position
}> {
  const { now } = caller.barrier
  const id = 'tokenId' in named ? named.tokenId : (await findToken(deps, named.token, now))?.claims.jti
  const token = id && (await deps.tokens.get(id))
  if (!token || !(token.clientId === caller.id || mayOversee(caller, token.orgId))) return refuse('not_found', 'no such token')
  const draft = auditDraft(caller, 'tokens.revoke', { orgId: token.orgId, subject: token.id })
  const revocation = { token: token.expiresAt > now ? token : undefined, taskIds, because, draft }
  const position = (await endTokenAndTasks(deps, caller, revocation, now)) ?? caller.barrier.position
  return { revoked: true, affectedTasksTerminated: taskIds.length > 0, tasks: taskIds, position }
}

/**
 * Ends the token and the tasks with one log entry. Refuses with `not_found`, and ends nothing, if the caller may not end one of the tasks. Undefined if all
 * of them have ended already.
 */
export async function endTokenAndTasks(
  deps: Pick<RevokeTokenDeps, 'tasks' | 'trustLog' | 'audit'>,
  caller: Viewer,
  { token, taskIds, because, draft }: Revocation,
  now: number,
): Promise<Position | undefined> {
  return endToken(deps, { token, because, draft, tasks: await requireMayEnd(deps, caller, taskIds, now) })
}

/** Ends the token and tasks that may end. Undefined if all of them have ended already. */
export async function endToken(
  deps: Pick<RevokeTokenDeps, 'trustLog' | 'audit'>,
  { token, tasks = [], because, draft }: Omit<Revocation, 'taskIds'> & { readonly tasks?: readonly Task[] },
): Promise<Position | undefined> {
  const revoked = token && !deps.trustLog.ended.has(handleOfToken(token.id)) ? token : undefined
  const ends = [...(revoked ? [endingOfToken(revoked)] : []), ...tasks.map(endingOfTask)]
  if (ends.length === 0) return undefined
  const [first] = tasks
  const row = first ? { ...draft, taskId: first.id, otherOrgId: first.orgId, facts: { tasks: tasks.map(({ id }) => id).join(' ') } } : draft
  const type = revoked ? 'token.revoked' : 'task.ended'
  return (await deps.trustLog.end({ type, ends, operations: deps.audit.recordingEnd(row, { ends, ...because }) })).position
}

export const endingOfToken = ({ id, expiresAt }: Pick<TokenRecord, 'id' | 'expiresAt'>): Ending => ({
  handle: handleOfToken(id),
  horizon: expiresAt + SKEW_SECONDS,
})
