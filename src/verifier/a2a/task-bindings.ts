import type { AccessTokenClaims } from '../../protocol/claims.js'
import type { TaskBinding, TaskBindingStore } from '../stores.js'

/** A2A servers create short ids. A longer id was invented by a caller and is never bound, so it uses no memory. */
const MAX_ID_LENGTH = 256

/** True if the token may use the A2A task or context with this id. Only then does the look-up count as use of the binding. */
export async function mayAccess(bindings: TaskBindingStore, id: string, claims: AccessTokenClaims): Promise<boolean> {
  const binding = id.length > MAX_ID_LENGTH ? undefined : await bindings.find(id)
  if (binding === undefined || !isBound(binding, claims)) return false
  await bindings.bind(id, binding)
  return true
}

/** Binds a new id to the token's task. False if the id is bound to another task or is too long. */
export async function bind(bindings: TaskBindingStore, id: string, claims: AccessTokenClaims): Promise<boolean> {
  return id.length <= MAX_ID_LENGTH && isBound(await bindings.bind(id, taskBindingOf(claims)), claims)
}

const taskBindingOf = (claims: AccessTokenClaims): TaskBinding => ({
  taskId: claims.task_id,
  ancestors: claims.parent_task_ids ?? [],
  sub: claims.sub,
})

/** True for a token of the bound task or of an ancestor; if the binding names no task, for a token of the same subject without a task. */
function isBound({ taskId, ancestors, sub }: TaskBinding, claims: AccessTokenClaims): boolean {
  if (taskId === undefined) return claims.task_id === undefined && claims.sub === sub
  return claims.task_id === taskId || ancestors.some((ancestor) => ancestor === claims.task_id)
}
