// Push notification configurations, which let the A2A server send events to a URL of the caller.
//
// Algorithm. A configuration is created through the handler, so that its task id and its own id are known, and is deleted when the token of
// the caller that created it is no longer valid. A caller keeps it by creating it again, with the same id, under a newer token. A message may
// carry a configuration: the guard takes it out and creates it as soon as the task of the message is known. The creations and deletions of one
// configuration run one after the other, so that its watch always belongs to what the server has stored.
//
// Limits. A caller has at most MAX_CONFIGS configurations. A configuration that comes with a message for a new task is created after the
// server has answered with the task: at the first event of a stream, or at the result of a blocking call.

import { isLoopback } from '../../lib/hosts/loopback.js'
import { isSpecialUseHost } from '../../lib/hosts/special-use.js'
import type { Random } from '../../lib/random.js'
import type { Verified, Verifier } from '../verify-request.js'
import type { A2AContext, A2AHandler, PushConfig } from './handler.js'
import { UnsupportedOperationError } from './methods.js'

const MAX_CONFIGS = 100

type Owner = Pick<Verifier, 'watch' | 'publicUrl' | 'onBug'>
type Handler = Pick<A2AHandler, 'createTaskPushNotificationConfig' | 'deleteTaskPushNotificationConfig'>

export class PushConfigs {
  readonly #handler: Handler
  readonly #verifier: Owner
  readonly #random: Random
  /** The function that ends the watch of each configuration, by subject and then by task id and id. */
  readonly #watched = new Map<string, Map<string, () => void>>()
  /** The last creation or deletion of each configuration that is not finished. */
  readonly #running = new Map<string, Promise<unknown>>()

  constructor(handler: Handler, verifier: Owner, random: Random) {
    this.#handler = handler
    this.#verifier = verifier
    this.#random = random
  }

  async create(params: PushConfig, context: A2AContext, verified: Verified): Promise<unknown> {
    this.#requireAllowed(params, verified)
    const config = { ...params, id: params.id || this.#random.token(16) }
    return this.#inTurn(config, verified, async () => {
      const isNew = this.#reserve(config, verified)
      try {
        const result = await this.#handler.createTaskPushNotificationConfig(config, context)
        // If the token has ended while the configuration was created, the watch deletes it at once
        this.#watch(config, context, verified)
        return result
      } catch (error) {
        if (isNew) this.#forget(config, verified)
        throw error
      }
    })
  }

  /** Counts a configuration before it is created. False if the caller has it already. */
  #reserve({ taskId, id }: PushConfig, { claims: { sub } }: Verified): boolean {
    const own = this.#watched.get(sub) ?? new Map<string, () => void>()
    this.#watched.set(sub, own)
    if (own.has(keyOf(taskId, id))) return false
    own.set(keyOf(taskId, id), () => {})
    return true
  }

  delete(params: PushConfig, context: A2AContext, verified: Verified): Promise<unknown> {
    return this.#inTurn(params, verified, async () => {
      const result = await this.#handler.deleteTaskPushNotificationConfig(params, context)
      this.#forget(params, verified)
      return result
    })
  }

  /** Runs the work after the earlier work on the same configuration of the same subject. */
  #inTurn<T>({ taskId, id }: PushConfig, { claims }: Pick<Verified, 'claims'>, work: () => Promise<T>): Promise<T> {
    const key = JSON.stringify([claims.sub, taskId, id])
    const running = (this.#running.get(key) ?? Promise.resolve()).then(work, work)
    this.#running.set(key, running)
    const end = () => {
      if (this.#running.get(key) === running) this.#running.delete(key)
    }
    running.then(end, end)
    return running
  }

  /** The configuration of a message. Its URL is checked at once; `createFor` creates it once, for the first task id that is known. */
  ofMessage(config: PushConfig, context: A2AContext, verified: Verified): { createFor(taskId: string | undefined): Promise<void> } {
    this.#requireAllowed(config, verified)
    let isCreated = false
    return {
      createFor: async (taskId) => {
        if (!taskId || isCreated) return
        isCreated = true
        try {
          await this.create({ ...config, taskId }, context, verified)
        } catch (error) {
          // As the official SDK does: a server without push notifications answers the message and ignores the configuration.
          if (!(error instanceof Error && error.name === 'PushNotificationNotSupportedError')) throw error
        }
      },
    }
  }

  #requireAllowed({ taskId, id, url }: PushConfig, { claims: { sub } }: Verified): void {
    const fault = pushUrlFault(url, this.#verifier.publicUrl)
    if (fault !== undefined) throw new UnsupportedOperationError(`this agent sends no push notifications to this URL: ${fault}`)
    const own = this.#watched.get(sub)
    if (own && own.size >= MAX_CONFIGS && !own.has(keyOf(taskId, id)))
      throw new UnsupportedOperationError(`this caller already has ${MAX_CONFIGS} push notification configurations; delete one first`)
  }

  #watch(config: PushConfig, context: A2AContext, verified: Verified): void {
    this.#forget(config, verified)
    const { sub } = verified.claims
    const own = this.#watched.get(sub) ?? new Map<string, () => void>()
    this.#watched.set(sub, own)
    const stop = this.#verifier.watch(verified, () => {
      void this.#inTurn(config, verified, async () => {
        // A newer token may have created the configuration again meanwhile
        if (this.#watched.get(sub)?.get(keyOf(config.taskId, config.id)) !== stop) return
        this.#forget(config, verified)
        await this.#handler.deleteTaskPushNotificationConfig(config, context).catch(this.#verifier.onBug)
      })
    })
    own.set(keyOf(config.taskId, config.id), stop)
  }

  #forget({ taskId, id }: PushConfig, { claims: { sub } }: Verified): void {
    const own = this.#watched.get(sub)
    own?.get(keyOf(taskId, id))?.()
    own?.delete(keyOf(taskId, id))
    if (own?.size === 0) this.#watched.delete(sub)
  }
}

const keyOf = (taskId: string, id = ''): string => JSON.stringify([taskId, id])

/**
 * Why the A2A server may not send events to `url`; undefined if it may. The rule is the one for addresses in cards: https, and a host on the
 * public internet. A server whose own public URL is on loopback, as in development, may also send to loopback and to every name. The
 * addresses to which a name resolves are not checked.
 */
export function pushUrlFault(url: string | undefined, publicUrl: string): string | undefined {
  const parsed = url !== undefined && URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined) return 'it is not an absolute URL'
  if (parsed.username !== '' || parsed.password !== '') return 'it must not contain a user name or password'
  const { protocol, hostname } = parsed
  const isLocal = isLoopback(new URL(publicUrl).hostname)
  if (isLocal && isLoopback(hostname) && protocol === 'http:') return undefined
  if (protocol !== 'https:') return 'it must be https'
  if (isLocal && (isLoopback(hostname) || !isAddress(hostname))) return undefined
  return isSpecialUseHost(hostname) ? `the host ${hostname} is not on the public internet (a special-use address or name)` : undefined
}

const isAddress = (hostname: string): boolean => hostname.startsWith('[') || /^\d+(\.\d+){3}$/.test(hostname)
