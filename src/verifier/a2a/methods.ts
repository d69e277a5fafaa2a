import { isRefusal, refuse } from '../../errors.js'
import type { AccessTokenClaims } from '../../protocol/claims.js'
import { type GuardNeeds, parseNeeds, requireNeeds } from '../needs.js'

/** The methods of A2A 1.0, by their JSON-RPC names. */
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

/**
 * The scope, tool and resource that each method requires of the token. A function can derive them from the parameters of the call, such
 * as the skill or the tool. A method without an entry is refused.
 */
export type A2ANeeds = { readonly [M in A2AMethod]?: GuardNeeds | ((params: never) => GuardNeeds | undefined) }

/** Requires the same rights for every method. */
export const needsForAll = (needs: GuardNeeds): A2ANeeds => Object.fromEntries(A2A_METHODS.map((method) => [method, needs]))

/** Checks the table when the guard is created, so that a misspelt method or member is not found by its absence. */
export function requireKnownNeeds(needs: A2ANeeds): void {
  for (const [method, entry] of Object.entries(needs)) {
    if (!A2A_METHODS.some((name) => name === method)) refuse('bad_input', `guardA2A: ${JSON.stringify(method)} is not a method of A2A`)
    if (entry !== undefined && typeof entry !== 'function') parseNeeds(entry, `guardA2A: ${method}`)
  }
}

/** Throws the A2A error UnsupportedOperation if the method has no entry in `needs` or the token does not meet it. */
export function requireMethod(needs: A2ANeeds, method: A2AMethod, params: unknown, claims: AccessTokenClaims): void {
  const entry = needs[method]
  const required = typeof entry === 'function' ? entry(params as never) : entry // the function's author knows the type of the parameters
  if (required === undefined) throw new UnsupportedOperationError(`this agent does not serve ${method}`)
  try {
    requireNeeds(claims, parseNeeds(required, method))
  } catch (error) {
    throw isRefusal(error) ? new UnsupportedOperationError(error.message) : error
  }
}

/** The SDK recognises its own errors by a symbol that every copy of it shares; an error without the symbol becomes an internal error. */
export class UnsupportedOperationError extends Error {
  readonly reason = 'UNSUPPORTED_OPERATION'
  override readonly name = 'UnsupportedOperationError'
  toErrorInfo(): object {
    return { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: this.reason, domain: 'a2a-protocol.org' }
  }
}
Object.defineProperty(UnsupportedOperationError.prototype, Symbol.for('@a2a-js/sdk.A2AError'), { value: true })
