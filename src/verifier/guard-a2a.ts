// Wraps the request handler of an A2A server. Our task is what work is for; an A2A task is the remote unit of work. Every A2A task and context
// is tied to the Credence task of the token that began it, before anybody can know its id; every later call must bring a token of that task or
// of an ancestor. An id that is not the caller's is replaced by one that nobody has: the server answers as for an unknown one. A context is
// begun by the server alone: who could name a new one could find out which there are, and take the names of others.
import { isRefusal } from '../errors.js'
import type { Random } from '../lib/random.js'
import { systemRandom } from '../lib/random.js'
import { credenceOf } from './guard.js'
import { bind, mayAccess } from './task-bindings.js'
import { type Needs, requireNeeds, type Verified, type Verifier } from './verify-request.js'

/** Methods of A2A 1.0, as JSON-RPC names them. */
export const A2A_METHODS = [
  'SendMessage',
  'SendStreamingMessage',
  'GetTask',
  'ListTasks',
  'CancelTask',
  'SubscribeToTask',
  'CreateTaskPushNotificationConfig',
  'GetTaskPushNotificationConfig',
  'ListTaskPushNotificationConfigs',
  'DeleteTaskPushNotificationConfig',
  'GetExtendedAgentCard',
] as const
export type A2AMethod = (typeof A2A_METHODS)[number]

/** What each method needs; a function decides by the parameters (which skill, which tool). A method that is not mapped is refused. */
export type A2ANeeds = { readonly [M in A2AMethod]?: Needs | ((params: never) => Needs | undefined) }

/** Of ListTasks (A2A 1.0 §3.1.4). */
const LARGEST_PAGE = 100

/** The same for every method. */
export const needsForAll = (needs: Needs): A2ANeeds => Object.fromEntries(A2A_METHODS.map((method) => [method, needs]))

/** What the official SDK's request handler has, as far as it is touched here. */
interface Context {
  readonly user?: unknown
}
interface MessageParams {
  readonly message?: { readonly taskId?: string; readonly contextId?: string; readonly referenceTaskIds?: readonly string[] } | undefined
}
interface HandlerShape {
  getAgentCard(): Promise<unknown>
  getAuthenticatedExtendedAgentCard(params: never, context: never): Promise<unknown>
  sendMessage(params: never, context: never): Promise<unknown>
  sendMessageStream(params: never, context: never): AsyncGenerator<unknown, void, undefined>
  getTask(params: never, context: never): Promise<unknown>
  cancelTask(params: never, context: never): Promise<unknown>
  createTaskPushNotificationConfig(params: never, context: never): Promise<unknown>
  getTaskPushNotificationConfig(params: never, context: never): Promise<unknown>
  listTaskPushNotificationConfigs(params: never, context: never): Promise<unknown>
  deleteTaskPushNotificationConfig(params: never, context: never): Promise<void>
  resubscribe(params: never, context: never): AsyncGenerator<unknown, void, undefined>
  listTasks(params: never, context: never): Promise<unknown>
}

/** The user of a verified request, for the SDK's `userBuilder`. Put `guard(verifier)` before it. */
export async function a2aUser(
  request: object,
): Promise<{ readonly isAuthenticated: boolean; readonly userName: string; readonly credence: Verified }> {
  const credence = credenceOf(request)
  return { isAuthenticated: true, userName: credence.claims.sub, credence }
}

/** The verified request behind an A2A call context, for executors. */
export function verifiedOf(context: Context): Verified {
  const { user } = context
  if (typeof user === 'object' && user !== null && 'credence' in user) return user.credence as Verified // set by a2aUser()
  throw new Error('the A2A handler has no verified user: use a2aUser as its userBuilder')
}

export function guardA2A<H extends HandlerShape>(
  inner: H,
  options: { readonly verifier: Pick<Verifier, 'taskBindings'>; readonly needs: A2ANeeds; readonly random?: Random },
): H {
  const { taskBindings } = options.verifier
  const random = options.random ?? systemRandom
  const nobodys = () => `none-${random.token(16)}`

  const enter = (method: A2AMethod, params: unknown, context: Context): Verified => {
    const verified = verifiedOf(context)
    const needs = options.needs[method]
    const resolved = typeof needs === 'function' ? needs(params as never) : needs // the adopter's own map says what its parameters are
    if (resolved === undefined) throw notAllowed(`${method} is not served here`)
    try {
      requireNeeds(verified.claims, resolved)
    } catch (error) {
      throw isRefusal(error) ? notAllowed(error.message) : error
    }
    return verified
  }
  const own = async (id: string, { claims }: Verified): Promise<string> => ((await mayAccess(taskBindings, id, claims)) ? id : nobodys())
  /** Of a message: the task and context that it continues. */
  const ownMessage = async <P>(params: P, verified: Verified): Promise<P> => {
    const { message } = params as MessageParams // as the SDK parsed it
    const { taskId, contextId, referenceTaskIds = [] } = message ?? {}
    const isMine =
      (!taskId || (await mayAccess(taskBindings, taskId, verified.claims))) &&
      (await Promise.all(referenceTaskIds.map((id) => mayAccess(taskBindings, id, verified.claims)))).every(Boolean) &&
      (!contextId || (await mayAccess(taskBindings, `context ${contextId}`, verified.claims)))
    return isMine ? params : ({ ...params, message: { ...message, taskId: nobodys(), contextId: '', referenceTaskIds: [] } } as P)
  }
  /** Before the caller can know an id, it is tied. */
  const tieResult = async (result: unknown, { claims }: Verified): Promise<void> => {
    for (const id of idsOf(result)) {
      if (!(await bind(taskBindings, id, claims))) throw new Error('an A2A task of another task came back')
    }
  }
  const byId =
    <P extends { readonly id: string }>(method: A2AMethod, run: (params: P, context: Context) => Promise<unknown>) =>
    async (params: P, context: Context) =>
      run({ ...params, id: await own(params.id, enter(method, params, context)) }, context)
  const byTaskId =
    <P extends { readonly taskId: string }>(method: A2AMethod, run: (params: P, context: Context) => Promise<unknown>) =>
    async (params: P, context: Context) =>
      run({ ...params, taskId: await own(params.taskId, enter(method, params, context)) }, context)

  // The wrapper has the shape of what it wraps; the SDK's own types stay those of `inner`.
  const handler = inner as unknown as Loose
  const guarded: Loose = {
    getAgentCard: () => handler.getAgentCard(),
    getAuthenticatedExtendedAgentCard: async (params, context) => {
      enter('GetExtendedAgentCard', params, context)
      return handler.getAuthenticatedExtendedAgentCard(params, context)
    },
    sendMessage: async (params, context) => {
      const verified = enter('SendMessage', params, context)
      const result = await handler.sendMessage(await ownMessage(params, verified), context)
      await tieResult(result, verified)
      return result
    },
    sendMessageStream: async function* (params, context) {
      const verified = enter('SendStreamingMessage', params, context)
      for await (const event of handler.sendMessageStream(await ownMessage(params, verified), context)) {
        await tieResult(event, verified)
        yield event
      }
    },
    getTask: byId('GetTask', (params, context) => handler.getTask(params, context)),
    cancelTask: byId('CancelTask', (params, context) => handler.cancelTask(params, context)),
    resubscribe: async function* (params, context) {
      const id = await own(params.id, enter('SubscribeToTask', params, context))
      yield* handler.resubscribe({ ...params, id }, context)
    },
    listTasks: async (params, context) => {
      const { claims } = enter('ListTasks', params, context)
      // The caller's page size, so that a bad one is refused in the server's words.
      const first = await handler.listTasks({ ...params, pageToken: '' }, context)
      const own: ById[] = []
      for (let page = first; ; ) {
        const shown = await Promise.all(page.tasks.map(async (task) => ((await mayAccess(taskBindings, task.id, claims)) ? [task] : [])))
        own.push(...shown.flat())
        if (!page.nextPageToken) break
        page = await handler.listTasks({ ...params, pageSize: LARGEST_PAGE, pageToken: page.nextPageToken }, context)
      }
      return { ...first, ...pageOf(own, params.pageToken, first.pageSize ?? LARGEST_PAGE) }
    },
    createTaskPushNotificationConfig: byTaskId('CreateTaskPushNotificationConfig', (params, context) =>
      handler.createTaskPushNotificationConfig(params, context),
    ),
    getTaskPushNotificationConfig: byTaskId('GetTaskPushNotificationConfig', (params, context) =>
      handler.getTaskPushNotificationConfig(params, context),
    ),
    listTaskPushNotificationConfigs: byTaskId('ListTaskPushNotificationConfigs', (params, context) =>
      handler.listTaskPushNotificationConfigs(params, context),
    ),
    deleteTaskPushNotificationConfig: byTaskId('DeleteTaskPushNotificationConfig', (params, context) =>
      handler.deleteTaskPushNotificationConfig(params, context),
    ),
  }
  return guarded as unknown as H
}

/**
 * Of the caller's own tasks. Their number, and a token that is the id of the last one shown, tell nothing of the tasks of others, as the server's
 * own would. A token that names no task of the caller gets the same empty page, whatever it names.
 */
function pageOf(own: readonly ById[], after: string | undefined, size: number): object {
  const last = after ? own.findIndex(({ id }) => id === after) : -1
  const from = after && last < 0 ? own.length : last + 1
  const tasks = own.slice(from, from + size)
  return { tasks, nextPageToken: from + size < own.length ? (tasks.at(-1)?.id ?? '') : '', totalSize: own.length }
}

interface ById {
  readonly id: string
}
interface ListParams {
  readonly pageSize?: number
  readonly pageToken?: string
}
interface ListAnswer {
  readonly tasks: readonly ById[]
  readonly nextPageToken?: string
  readonly pageSize?: number
}
interface ByTaskId {
  readonly taskId: string
}
interface Loose {
  getAgentCard(): Promise<unknown>
  getAuthenticatedExtendedAgentCard(params: unknown, context: Context): Promise<unknown>
  sendMessage(params: MessageParams, context: Context): Promise<unknown>
  sendMessageStream(params: MessageParams, context: Context): AsyncGenerator<unknown, void, undefined>
  getTask(params: ById, context: Context): Promise<unknown>
  cancelTask(params: ById, context: Context): Promise<unknown>
  resubscribe(params: ById, context: Context): AsyncGenerator<unknown, void, undefined>
  listTasks(params: ListParams, context: Context): Promise<ListAnswer>
  createTaskPushNotificationConfig(params: ByTaskId, context: Context): Promise<unknown>
  getTaskPushNotificationConfig(params: ByTaskId, context: Context): Promise<unknown>
  listTaskPushNotificationConfigs(params: ByTaskId, context: Context): Promise<unknown>
  deleteTaskPushNotificationConfig(params: ByTaskId, context: Context): Promise<unknown>
}

/** The ids of tasks and contexts in a result or a stream event: `id`, or `taskId`, and `contextId`, also inside `payload.value`. */
function idsOf(result: unknown): string[] {
  if (typeof result !== 'object' || result === null) return []
  if ('payload' in result && typeof result.payload === 'object' && result.payload !== null && 'value' in result.payload)
    return idsOf(result.payload.value)
  const { id, taskId, contextId, messageId } = result as Readonly<Record<string, unknown>> // whatever the SDK returned
  // A message has an id of its own and may name a task; a task has `id`.
  const task = messageId === undefined ? (taskId ?? id) : taskId
  return [
    ...(typeof task === 'string' && task !== '' ? [task] : []),
    ...(typeof contextId === 'string' && contextId !== '' ? [`context ${contextId}`] : []),
  ]
}

/** As the SDK knows its own errors: by a brand that all copies of it share. Without it, it is an error like any other. */
class UnsupportedOperationError extends Error {
  readonly reason = 'UNSUPPORTED_OPERATION'
  override readonly name = 'UnsupportedOperationError'
  toErrorInfo(): object {
    return { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: this.reason, domain: 'a2a-protocol.org' }
  }
}
Object.defineProperty(UnsupportedOperationError.prototype, Symbol.for('@a2a-js/sdk.A2AError'), { value: true })

const notAllowed = (message: string): Error => new UnsupportedOperationError(message)
