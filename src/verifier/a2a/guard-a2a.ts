import { type Random, systemRandom } from '../../lib/random.js'
import type { AccessTokenClaims } from '../../protocol/claims.js'
import { type OptionNames, requireOptions } from '../../protocol/options.js'
import { credenceOf } from '../guard.js'
import type { Verified, Verifier } from '../verify-request.js'
import type { A2AContext, A2AHandler, A2AHandlerShape, ById, ByTaskId, MessageParams } from './handler.js'
import { type A2AMethod, type A2ANeeds, requireKnownNeeds, requireMethod } from './methods.js'
import { PushConfigs } from './push-configs.js'
import { TaskAccess, taskIdOf } from './task-access.js'
import { eventsWhileValid, whileValid } from './while-valid.js'

/** The SDK's `userBuilder`: the user is the verified request. Run `guard(verifier, needs)` before it. */
export async function a2aUser(
  request: object,
): Promise<{ readonly isAuthenticated: boolean; readonly userName: string; readonly credence: Verified }> {
  const credence = credenceOf(request)
  return { isAuthenticated: true, userName: credence.claims.sub, credence }
}

/** Returns the verified request of an A2A call. For use in executors. */
export function verifiedOf({ user }: A2AContext): Verified {
  if (typeof user === 'object' && user !== null && 'credence' in user) return user.credence as Verified // set by a2aUser()
  throw new Error('the A2A call has no verified user: pass a2aUser as userBuilder and run guard(verifier, needs) before it')
}

interface GuardA2AOptions {
  readonly verifier: Pick<Verifier, 'taskBindings' | 'watch' | 'publicUrl' | 'onBug'>
  readonly needs: A2ANeeds
  readonly random?: Random
}

const GUARD_OPTIONS: OptionNames<GuardA2AOptions> = { verifier: true, needs: true, random: true }

/**
 * Wraps the request handler of an A2A server. Each method requires the rights that `needs` lists for it, and a caller can use only the
 * A2A tasks and contexts of its own Credence task. When the caller's token is no longer valid, its open streams and blocking calls end with an
 * error, and the push notification configurations that it created are deleted.
 */
export function guardA2A<H extends A2AHandlerShape>(handler: H, options: GuardA2AOptions): H {
  requireOptions('guardA2A', options, GUARD_OPTIONS)
  // The wrapper has the same shape as the handler, whose own parameter types stay visible to the caller.
  const inner = handler as unknown as A2AHandler
  const { verifier, needs, random = systemRandom } = options
  requireKnownNeeds(needs)
  const access = new TaskAccess(verifier.taskBindings, random)
  const pushes = new PushConfigs(inner, verifier, random)

  const authorise = (method: A2AMethod, params: unknown, context: A2AContext): AccessTokenClaims => {
    const { claims } = verifiedOf(context)
    requireMethod(needs, method, params, claims)
    return claims
  }
  /** A message that carries a push notification configuration needs what the method that creates one needs. */
  const authorisePush = ({ message, configuration }: MessageParams, context: A2AContext) => {
    const config = configuration?.taskPushNotificationConfig
    if (!config) return undefined
    authorise('CreateTaskPushNotificationConfig', { ...config, taskId: message?.taskId ?? '' }, context)
    return pushes.ofMessage(config, context, verifiedOf(context))
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
      const push = authorisePush(params, context)
      const message = withoutPush(await access.accessibleMessage(params, claims))
      await push?.createFor(message.message?.taskId)
      const result = await whileValid(verifier, verifiedOf(context), inner.sendMessage(message, context))
      await access.bindResult(result, claims)
      await push?.createFor(taskIdOf(result))
      return result
    },
    sendMessageStream: async function* (params, context) {
      const claims = authorise('SendStreamingMessage', params, context)
      const push = authorisePush(params, context)
      const message = withoutPush(await access.accessibleMessage(params, claims))
      await push?.createFor(message.message?.taskId)
      for await (const event of eventsWhileValid(verifier, verifiedOf(context), inner.sendMessageStream(message, context))) {
        await access.bindResult(event, claims)
        await push?.createFor(taskIdOf(event))
        yield event
      }
    },
    getTask: byId('GetTask', (params, context) => inner.getTask(params, context)),
    cancelTask: byId('CancelTask', (params, context) => inner.cancelTask(params, context)),
    resubscribe: async function* (params, context) {
      const id = await access.accessibleId(params.id, authorise('SubscribeToTask', params, context))
      yield* eventsWhileValid(verifier, verifiedOf(context), inner.resubscribe({ ...params, id }, context))
    },
    listTasks: async (params, context) => {
      const claims = authorise('ListTasks', params, context)
      return access.listTasks(params, claims, (page) => inner.listTasks(page, context))
    },
    createTaskPushNotificationConfig: async (params, context) => {
      const taskId = await access.accessibleId(params.taskId, authorise('CreateTaskPushNotificationConfig', params, context))
      // For an unknown id the server reports that the task does not exist, whatever the configuration is.
      if (taskId !== params.taskId) return inner.createTaskPushNotificationConfig({ ...params, taskId }, context)
      return pushes.create(params, context, verifiedOf(context))
    },
    getTaskPushNotificationConfig: byTaskId('GetTaskPushNotificationConfig', (params, context) =>
      inner.getTaskPushNotificationConfig(params, context),
    ),
    listTaskPushNotificationConfigs: byTaskId('ListTaskPushNotificationConfigs', (params, context) =>
      inner.listTaskPushNotificationConfigs(params, context),
    ),
    deleteTaskPushNotificationConfig: byTaskId('DeleteTaskPushNotificationConfig', (params, context) =>
      pushes.delete(params, context, verifiedOf(context)),
    ),
  }
  return guarded as unknown as H
}

/** The configuration of the message is created by `PushConfigs`, not by the handler, so that its id is known when it must be deleted. */
const withoutPush = ({ configuration, ...message }: MessageParams): MessageParams =>
  configuration ? { ...message, configuration: { ...configuration, taskPushNotificationConfig: undefined } } : message
