import type { AccessTokenClaims } from '../protocol/claims.js'
import type { TaskBinding, TaskBindingStore } from './stores.js'

/** Servers make their own ids, and short ones: what is longer was made up by a caller, and is nobody's. */
const MAX_ID_LENGTH = 256

/** The tie that a token makes: its task with the ancestors, and whom it is for. */
export const taskBindingOf = (claims: AccessTokenClaims): TaskBinding => ({
  taskId: claims.task_id,
  ancestors: claims.parent_task_ids ?? [],
  sub: claims.sub,
})

/** Only a token of that task or of an ancestor; where no task began it, one without a task for the same subject. */
export function isBound(tie: TaskBinding, claims: AccessTokenClaims): boolean {
  if (tie.taskId === undefined) return claims.task_id === undefined && claims.sub === tie.sub
  return claims.task_id === tie.taskId || tie.ancestors.some((ancestor) => ancestor === claims.task_id)
}

/** True where the token may continue, read or cancel what has this id. */
export async function mayAccess(ties: TaskBindingStore, id: string, claims: AccessTokenClaims): Promise<boolean> {
  const tie = id.length > MAX_ID_LENGTH ? undefined : await ties.find(id)
  return tie !== undefined && isBound(tie, claims)
}

/** Ties a new id to the token; false where it belongs to another already. */
export async function bind(ties: TaskBindingStore, id: string, claims: AccessTokenClaims): Promise<boolean> {
  return id.length <= MAX_ID_LENGTH && isBound(await ties.tie(id, taskBindingOf(claims)), claims)
}
