// Decides which A2A tasks and contexts a token may use.
//
// Algorithm. An A2A task or context is bound to the Credence task of the token that started it, before its id reaches the caller. A later
// call needs a token of that Credence task or of one of its ancestors. The id of any other task or context is replaced by a random id
// before the A2A server sees it, so the server responds as it does to an id that does not exist. Only the server creates contexts: if a
// caller could choose the id of a new one, the outcome would tell which ids exist, and the caller could take ids that others will get.
//
// Cost: one look-up in the store for each id in a request and one insert for each id in a result or stream event. ListTasks reads all
// pages that the inner server has for the caller, because it must filter before it counts and pages. The task stores of the official SDK
// list only tasks of the same user, which `a2aUser` sets to the subject of the token; a task store of another kind should do the same,
// because ListTasks is refused after MAX_LISTED tasks of any user.
// Limits: ids longer than 256 characters are never bound. A binding that is not used for TASK_BINDING_SECONDS is removed, and its task
// can no longer be reached.
import type { Random } from '../../lib/random.js'
import type { AccessTokenClaims } from '../../protocol/claims.js'
import type { TaskBindingStore } from '../stores.js'
import type { ById, ListParams, MessageParams, TaskList } from './handler.js'
import { UnsupportedOperationError } from './methods.js'
import { bind, mayAccess } from './task-bindings.js'

/** The largest page of ListTasks (A2A 1.0 §3.1.4). */
const LARGEST_PAGE = 100
/** Maximum number of tasks that one ListTasks reads from the inner server. */
const MAX_LISTED = 10_000

export class TaskAccess {
  readonly #bindings: TaskBindingStore
  readonly #random: Random

  constructor(bindings: TaskBindingStore, random: Random) {
    this.#bindings = bindings
    this.#random = random
  }

  /** Returns the id itself, or a random id if the token may not use the task. */
  async accessibleId(id: string, claims: AccessTokenClaims): Promise<string> {
    return (await mayAccess(this.#bindings, id, claims)) ? id : this.#unknownId()
  }

  /** Returns the parameters, with an unknown task id instead if the message names a task or context that the token may not use. */
  async accessibleMessage<P extends MessageParams>(params: P, claims: AccessTokenClaims): Promise<P> {
    const { message } = params
    const { taskId, contextId, referenceTaskIds = [] } = message ?? {}
    const ids = [...(taskId ? [taskId] : []), ...referenceTaskIds, ...(contextId ? [contextBinding(contextId)] : [])]
    const mayUseAll = (await Promise.all(ids.map((id) => mayAccess(this.#bindings, id, claims)))).every(Boolean)
    return mayUseAll ? params : { ...params, message: { ...message, taskId: this.#unknownId(), contextId: '', referenceTaskIds: [] } }
  }

  /** Binds the tasks and contexts that a result or stream event names. Call before the result is sent. */
  async bindResult(result: unknown, claims: AccessTokenClaims): Promise<void> {
    for (const id of idsOf(result))
      if (!(await bind(this.#bindings, id, claims)))
        throw new Error('the A2A server returned a task or context that is bound to another Credence task')
  }

  /** Returns a page of the tasks that the token may use; `list` reads a page of all tasks. */
  async listTasks(params: ListParams, claims: AccessTokenClaims, list: (params: ListParams) => Promise<TaskList>): Promise<TaskList> {
    // The first page is read with the caller's page size, so the inner server refuses an invalid one with its own error.
    const first = await list({ ...params, pageToken: '' })
    const own: ById[] = []
    let read = 0
    for (let page = first; ; ) {
      const accessible = await Promise.all(page.tasks.map(({ id }) => mayAccess(this.#bindings, id, claims)))
      own.push(...page.tasks.filter((_, i) => accessible[i]))
      if (!page.nextPageToken) break
      read += page.tasks.length
      if (read >= MAX_LISTED) throw new UnsupportedOperationError('too many tasks to list: narrow the request by contextId or status')
      page = await list({ ...params, pageSize: LARGEST_PAGE, pageToken: page.nextPageToken })
    }
    return { ...first, ...pageOf(own, params.pageToken, first.pageSize ?? LARGEST_PAGE) }
  }

  #unknownId(): string {
    return `none-${this.#random.token(16)}`
  }
}

/**
 * Pages over the caller's own tasks. The page token is the id of the last task on the page, and the total counts only these tasks, because
 * the inner server's token and total would reveal tasks of others. A page token that is not the id of an own task gets an empty page.
 */
function pageOf(own: readonly ById[], pageToken: string | undefined, size: number): TaskList & { readonly totalSize: number } {
  const last = pageToken ? own.findIndex(({ id }) => id === pageToken) : -1
  const from = pageToken && last < 0 ? own.length : last + 1
  const tasks = own.slice(from, from + size)
  return { tasks, nextPageToken: from + size < own.length ? (tasks.at(-1)?.id ?? '') : '', totalSize: own.length }
}

/** Contexts share the store with tasks; the prefix keeps their ids apart. */
const CONTEXT_PREFIX = 'context '
const contextBinding = (contextId: string): string => CONTEXT_PREFIX + contextId

/** The id of the task in a result or a stream event. */
export const taskIdOf = (result: unknown): string | undefined => idsOf(result).find((id) => !id.startsWith(CONTEXT_PREFIX))

/** The ids of tasks and contexts in a result or a stream event: `id` or `taskId`, and `contextId`, also inside `payload.value`. */
function idsOf(result: unknown): string[] {
  if (typeof result !== 'object' || result === null) return []
  if ('payload' in result && typeof result.payload === 'object' && result.payload !== null && 'value' in result.payload)
    return idsOf(result.payload.value)
  const { id, taskId, contextId, messageId } = result as Readonly<Record<string, unknown>> // the SDK's union of result types
  // The `id` of a task identifies the task itself; a message has a `messageId` and may name a task.
  const task = messageId === undefined ? (taskId ?? id) : taskId
  return [
    ...(typeof task === 'string' && task !== '' ? [task] : []),
    ...(typeof contextId === 'string' && contextId !== '' ? [contextBinding(contextId)] : []),
  ]
}
