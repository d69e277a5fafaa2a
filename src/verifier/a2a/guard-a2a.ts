import { type Random, systemRandom } from '../../lib/random.js'
import type { AccessTokenClaims } from '../../protocol/claims.js'
import { credenceOf } from '../guard.js'
import type { Verified, Verifier } from '../verify-request.js'
import type { A2AContext, A2AHandler, A2AHandlerShape, ById, ByTaskId } from './handler.js'
import { type A2AMethod, type A2ANeeds, requireMethod } from './methods.js'
import { TaskAccess } from './task-access.js'

/** The SDK's `userBuilder`: the user is the verified request. Run `guard(verifier)` before it. */
export async function a2aUser(
  request: object,
): Promise<{ readonly isAuthenticated: boolean; readonly userName: string; readonly credence: Verified }> {
  const credence = credenceOf(request)
  return { isAuthenticated: true, userName: credence.claims.sub, credence }
}

/** Returns the verified request of an A2A call. For use in executors. */
export function verifiedOf({ user }: A2AContext): Verified {
  if (typeof user === 'object' && user !== null && 'credence' in user) return user.credence as Verified // set by a2aUser()
  throw new Error('the A2A call has no verified user: pass a2aUser as userBuilder and run guard(verifier) before it')
}

/**
 * Wraps the request handler of an A2A server. Each method requires the rights that `needs` lists for it, and a caller can use only the
 * A2A tasks and contexts of its own Credence task.
 */
export function guardA2A<H extends A2AHandlerShape>(
  handler: H,
  options: { readonly verifier: Pick<Verifier, 'taskBindings'>; readonly needs: A2ANeeds; readonly random?: Random },
): H {
  // The wrapper has the same shape as the handler, whose own parameter types stay visible to the caller.
  const inner = handler as unknown as A2AHandler
  const access = new TaskAccess(options.verifier.taskBindings, options.random ?? systemRandom)

  const authorise = (method: A2AMethod, params: unknown, context: A2AContext): AccessTokenClaims => {
    const { claims } = verifiedOf(context)
    requireMethod(options.needs, method, params, claims)
    return claims
  }
  const byId =
    (method: A2AMethod, run: (params: ById, context: A2AContext) => Promise<unknown>) => async (params: ById, context: A2AContext) =>
      run({ ...params, id: await access.accessibleId(params.id, authorise(method, params, context)) }, context)
  const byTaskId =
    (method: A2AMethod, run: (params: ByTaskId, context: A2AContext) => Promise<unknown>) =>
    async (params: ByTaskId, context: A2AContext) =>
      run({ ...params, taskId: await access.accessibleId(params.taskId, authorise(method, params, context)) }, context)

  const guarded: A2AHandler = {
    getAgentCard: () => inner.getAgentCard(),
    getAuthenticatedExtendedAgentCard: async (params, context) => {
      authorise('GetExtendedAgentCard', params, context)
      return inner.getAuthenticatedExtendedAgentCard(params, context)
    },
    sendMessage: async (params, context) => {
      const claims = authorise('SendMessage', params, context)
      const result = await inner.sendMessage(await access.accessibleMessage(params, claims), context)
      await access.bindResult(result, claims)
      return result
    },
    sendMessageStream: async function* (params, context) {
      const claims = authorise('SendStreamingMessage', params, context)
      for await (const event of inner.sendMessageStream(await access.accessibleMessage(params, claims), context)) {
        await access.bindResult(event, claims)
        yield event
      }
    },
    getTask: byId('GetTask', (params, context) => inner.getTask(params, context)),
    cancelTask: byId('CancelTask', (params, context) => inner.cancelTask(params, context)),
    resubscribe: async function* (params, context) {
      const id = await access.accessibleId(params.id, authorise('SubscribeToTask', params, context))
      yield* inner.resubscribe({ ...params, id }, context)
    },
    listTasks: async (params, context) => {
      const claims = authorise('ListTasks', params, context)
      return access.listTasks(params, claims, (page) => inner.listTasks(page, context))
    },
    createTaskPushNotificationConfig: byTaskId('CreateTaskPushNotificationConfig', (params, context) =>
      inner.createTaskPushNotificationConfig(params, context),
    ),
    getTaskPushNotificationConfig: byTaskId('GetTaskPushNotificationConfig', (params, context) =>
      inner.getTaskPushNotificationConfig(params, context),
    ),
    listTaskPushNotificationConfigs: byTaskId('ListTaskPushNotificationConfigs', (params, context) =>
      inner.listTaskPushNotificationConfigs(params, context),
    ),
    deleteTaskPushNotificationConfig: byTaskId('DeleteTaskPushNotificationConfig', (params, context) =>
      inner.deleteTaskPushNotificationConfig(params, context),
    ),
  }
  return guarded as unknown as H
}
