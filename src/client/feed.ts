import { openWebSocket, type WebSocketLike } from '#websocket'
import type { Clock } from '../lib/clock.js'
import type { Random } from '../lib/random.js'
import type { EndedSet, Snapshot } from '../protocol/log/ended-set.js'
import type { Ending, Position } from '../protocol/log/entry.js'
import { FEED_PROTOCOL, type FeedPosition, parseServerMessage, TICKET_PREFIX } from '../protocol/log/feed.js'
import { type FeedEffect, FeedState } from './feed-state.js'

/** Saves the ended set so that a restarted subscriber continues from its position instead of reading the whole set. */
export interface FeedStore {
  load(): Promise<{ readonly position: FeedPosition; readonly snapshot: Snapshot } | undefined>
  save(position: FeedPosition, snapshot: () => Snapshot): Promise<void>
}

export interface FeedDeps {
  readonly url: () => Promise<string>
  readonly ticket: () => Promise<string>
  readonly clock: Clock
  readonly random: Random
  readonly store?: FeedStore
  /** Called when `onRevoked` or the store fails, or the registry cannot be reached. The feed keeps trying. */
  readonly onError?: ((error: unknown) => void) | undefined
  /** Called with the revoked handles. The position is saved in the store after the returned promise resolves. */
  readonly onRevoked?: (revoked: readonly Ending[], position: Position) => void | Promise<void>
}

export interface Feed {
  readonly ended: Pick<EndedSet, 'has' | 'size'>
  /** Sequence number of the last applied log entry; −1 before the first. */
  readonly seq: number
  /** Log time in epoch seconds. */
  readonly time: number
  readonly position: FeedPosition | undefined
  /** Monotonic time in milliseconds: everything acknowledged before it is applied. Undefined until the first challenge succeeds. */
  readonly freshAt: number | undefined
  /** Resolves when everything acknowledged before the call is applied; rejects if that takes longer than `timeoutMs`. */
  sync(timeoutMs?: number): Promise<void>
  close(): void
}

const SYNC_TIMEOUT_MS = 1000

/** Follows the revocation feed over a WebSocket. Resolves once the ended set of the registry, or a saved one, is loaded. */
export async function openFeed(deps: FeedDeps): Promise<Feed> {
  const feed = new FeedConnection(deps, new FeedState(deps.clock, await deps.store?.load()))
  await feed.start()
  return feed
}

interface PendingSync {
  readonly timeoutMs: number
  readonly timer: AbortController
  readonly outcome: Promise<void>
  settle(error?: string): void
}

/** Connects a FeedState to a socket, to timers and to the handlers of its owner. */
class FeedConnection implements Feed {
  readonly #deps: FeedDeps
  readonly #state: FeedState
  readonly #closed = new AbortController()
  readonly #syncs = new Map<number, PendingSync>()
  #socket: WebSocketLike | undefined
  #onLive: (() => void) | undefined
  /** Messages are handled one after the other, so a slow handler delays later messages but never reorders them. */
  #handling: Promise<void> = Promise.resolve()

  constructor(deps: FeedDeps, state: FeedState) {
    this.#deps = deps
    this.#state = state
  }

  get ended() {
    return this.#state.ended
  }
  get seq() {
    return this.#state.ended.seq
  }
  get time() {
    return this.#state.ended.time
  }
  get position() {
    return this.#state.position
  }
  get freshAt() {
    return this.#state.freshAt
  }

  async start(): Promise<void> {
    await this.#connect()
    if (this.#state.position === undefined && !this.#closed.signal.aborted)
      await new Promise<void>((resolve) => {
        this.#onLive = resolve
      })
  }

  readonly sync = (timeoutMs = SYNC_TIMEOUT_MS): Promise<void> => {
    const { n, effects } = this.#state.sync()
    const pending = this.#syncs.get(n) ?? newPendingSync(timeoutMs)
    this.#syncs.set(n, pending)
    this.#runAll(effects)
    return pending.outcome
  }

  readonly close = (): void => {
    this.#closed.abort()
    this.#onLive?.()
    const socket = this.#socket
    this.#socket = undefined
    this.#runAll(this.#state.disconnected('the revocation feed is closed'))
    socket?.close(1000)
  }

  async #connect(): Promise<void> {
    const [url, ticket] = [await this.#deps.url(), await this.#deps.ticket()]
    if (this.#closed.signal.aborted) return
    const socket = openWebSocket(url, [FEED_PROTOCOL, TICKET_PREFIX + ticket])
    this.#socket = socket
    this.#state.connecting()
    socket.addEventListener('message', ({ data }) => {
      this.#handling = this.#handling
        .then(() => this.#receive(socket, String(data)))
        .catch((error: unknown) => {
          this.#drop(socket)
          this.#deps.onError?.(error)
        })
    })
    socket.addEventListener('error', () => undefined)
    socket.addEventListener('close', () => this.#lose(socket))
  }

  async #reconnect(): Promise<void> {
    if (this.#closed.signal.aborted) return
    const { clock, random, onError } = this.#deps
    await clock.after(this.#state.takeBackOffMs(random.bytes(1)[0] ?? 0), this.#closed.signal)
    if (this.#closed.signal.aborted) return
    await this.#connect().catch((error: unknown) => {
      onError?.(error)
      return this.#reconnect()
    })
  }

  #lose(socket: WebSocketLike): void {
    if (this.#socket !== socket) return
    this.#socket = undefined
    this.#runAll(this.#state.disconnected())
    void this.#reconnect()
  }

  #drop(socket: WebSocketLike): void {
    socket.close()
    this.#lose(socket)
  }

  async #receive(socket: WebSocketLike, text: string): Promise<void> {
    if (this.#socket !== socket) return
    const message = parseServerMessage(text)
    if (message === 'unknown') return
    if (message === undefined) return this.#drop(socket)
    for (const effect of this.#state.receive(message)) {
      if (effect.type === 'deliver') await this.#deliver(effect)
      else if (effect.type === 'drop') this.#drop(socket)
      else this.#run(effect)
    }
  }

  async #deliver({ revoked, position }: FeedEffect & { readonly type: 'deliver' }): Promise<void> {
    if (revoked.length > 0) await this.#deps.onRevoked?.(revoked, position.position)
    await this.#deps.store?.save(position, () => this.#state.ended.snapshot())
    this.#runAll(this.#state.delivered())
  }

  #runAll(effects: readonly FeedEffect[]): void {
    for (const effect of effects) this.#run(effect)
  }

  #run(effect: FeedEffect): void {
    if (effect.type === 'send') this.#socket?.send(JSON.stringify(effect.message))
    else if (effect.type === 'live') this.#onLive?.()
    else if (effect.type === 'challenge') this.#challenge(effect.n)
    else if (effect.type === 'settled') this.#settle(effect.n, effect.error)
  }

  #challenge(n: number): void {
    const pending = this.#syncs.get(n)
    if (!pending) return
    if (this.#socket?.readyState !== 1) {
      this.#runAll(this.#state.challengeFailed(n, 'the revocation feed is not connected'))
      return
    }
    this.#socket.send(JSON.stringify({ type: 'sync', n }))
    const { timeoutMs, timer } = pending
    void this.#deps.clock.after(timeoutMs, timer.signal).then(() => {
      if (!timer.signal.aborted) this.#runAll(this.#state.challengeFailed(n, `the registry did not respond within ${timeoutMs} ms`))
    })
  }

  #settle(n: number, error: string | undefined): void {
    const pending = this.#syncs.get(n)
    this.#syncs.delete(n)
    pending?.timer.abort()
    pending?.settle(error)
  }
}

function newPendingSync(timeoutMs: number): PendingSync {
  let settle: PendingSync['settle'] = () => {}
  const outcome = new Promise<void>((resolve, reject) => {
    settle = (error) => (error === undefined ? resolve() : reject(new Error(error)))
  })
  // A failed challenge that nothing awaits must not become an unhandled rejection.
  outcome.catch(() => undefined)
  return { timeoutMs, timer: new AbortController(), outcome, settle }
}
