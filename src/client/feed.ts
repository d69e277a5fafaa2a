import { openWebSocket, type WebSocketLike } from '#websocket'
import { CredenceError } from '../errors.js'
import type { Clock } from '../lib/clock.js'
import type { Random } from '../lib/random.js'
import { withTimeout } from '../lib/timeout.js'
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
  /**
   * Called when `onRevoked` or the store fails, and once when the registry can no longer be reached or has stopped responding. The feed
   * keeps trying.
   */
  readonly onError?: ((error: unknown) => void) | undefined
  /**
   * Called with the revoked handles. The position advances and is saved in the store after the returned promise resolves. If it rejects, the
   * feed connects again and delivers the same handles again; until that succeeds the feed proves no freshness, and a verifier responds 503.
   */
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
  /** Resolves when everything acknowledged before the call is applied; rejects if that takes longer than `timeoutMs`, at most 2 s. */
  sync(timeoutMs?: number): Promise<void>
  close(): void
}

const SYNC_TIMEOUT_MS = 1000
/** A challenge without an answer fails after this time. If nothing at all has arrived meanwhile, the connection is dropped. */
const CHALLENGE_TIMEOUT_MS = 2000
/** A challenge is sent at least this often. A new connection must be open after this time. */
const HEARTBEAT_MS = 20_000

/** Follows the revocation feed over a WebSocket. Resolves once the ended set of the registry, or a saved one, is loaded. */
export async function openFeed(deps: FeedDeps): Promise<Feed> {
  const feed = new FeedConnection(deps, new FeedState(deps.clock, await deps.store?.load()))
  await feed.start()
  return feed
}

const outage = (text: string): CredenceError => new CredenceError({ reason: 'unavailable', text, status: 0 })

/** `readyState` of an open WebSocket. */
const OPEN = 1

interface PendingSync {
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
  /** Aborts when the socket is lost. */
  #lost = new AbortController()
  /** Number of messages that have arrived. */
  #arrived = 0
  /** True from the first report that the registry cannot be reached until the feed is live again. */
  #isOutageReported = false
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
    const pending = this.#syncs.get(n) ?? newPendingSync()
    this.#syncs.set(n, pending)
    this.#runAll(effects)
    return withTimeout(this.#deps.clock, timeoutMs, 'the response of the revocation feed', pending.outcome).catch((error: Error) => {
      throw outage(error.message)
    })
  }

  readonly close = (): void => {
    this.#closed.abort()
    this.#lost.abort()
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
    this.#lost = new AbortController()
    this.#state.connecting()
    void this.#keepAlive(socket, this.#lost.signal)
    socket.addEventListener('message', ({ data }) => {
      this.#arrived++
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

  /** Drops a connection that does not open, and challenges an open one at intervals. A challenge drops a connection that has died. */
  async #keepAlive(socket: WebSocketLike, lost: AbortSignal): Promise<void> {
    for (;;) {
      await this.#deps.clock.after(HEARTBEAT_MS, lost)
      if (lost.aborted) return
      if (socket.readyState !== OPEN) return this.#dropDead(socket)
      void this.sync(CHALLENGE_TIMEOUT_MS).catch(() => undefined)
    }
  }

  async #reconnect(): Promise<void> {
    if (this.#closed.signal.aborted) return
    const { clock, random } = this.#deps
    await clock.after(this.#state.takeBackOffMs(random.bytes(1)[0] ?? 0), this.#closed.signal)
    if (this.#closed.signal.aborted) return
    await this.#connect().catch((error: unknown) => {
      this.#reportOutage(error)
      return this.#reconnect()
    })
  }

  #lose(socket: WebSocketLike): void {
    if (this.#socket !== socket) return
    this.#socket = undefined
    this.#lost.abort()
    this.#runAll(this.#state.disconnected())
    void this.#reconnect()
  }

  #drop(socket: WebSocketLike): void {
    socket.close()
    this.#lose(socket)
  }

  #dropDead(socket: WebSocketLike): void {
    if (this.#socket !== socket) return
    this.#reportOutage(outage('the registry does not respond on the revocation feed; the feed connects again'))
    this.#drop(socket)
  }

  #reportOutage(error: unknown): void {
    if (this.#isOutageReported) return
    this.#isOutageReported = true
    this.#deps.onError?.(error)
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
    this.#runAll(this.#state.delivered(position))
  }

  #runAll(effects: readonly FeedEffect[]): void {
    for (const effect of effects) this.#run(effect)
  }

  #run(effect: FeedEffect): void {
    if (effect.type === 'send') this.#socket?.send(JSON.stringify(effect.message))
    else if (effect.type === 'live') {
      this.#isOutageReported = false
      this.#onLive?.()
    } else if (effect.type === 'challenge') this.#challenge(effect.n)
    else if (effect.type === 'settled') this.#settle(effect.n, effect.error)
  }

  #challenge(n: number): void {
    const pending = this.#syncs.get(n)
    if (!pending) return
    const socket = this.#socket
    if (socket?.readyState !== OPEN) {
      this.#runAll(this.#state.challengeFailed(n, 'the revocation feed is not connected'))
      return
    }
    socket.send(JSON.stringify({ type: 'sync', n }))
    const { timer } = pending
    const arrived = this.#arrived
    void this.#deps.clock.after(CHALLENGE_TIMEOUT_MS, timer.signal).then(() => {
      if (timer.signal.aborted) return
      this.#runAll(this.#state.challengeFailed(n, `the registry did not respond within ${CHALLENGE_TIMEOUT_MS} ms`))
      if (this.#arrived === arrived) this.#dropDead(socket)
    })
  }

  #settle(n: number, error: string | undefined): void {
    const pending = this.#syncs.get(n)
    this.#syncs.delete(n)
    pending?.timer.abort()
    pending?.settle(error)
  }
}

function newPendingSync(): PendingSync {
  let settle: PendingSync['settle'] = () => {}
  const outcome = new Promise<void>((resolve, reject) => {
    settle = (error) => (error === undefined ? resolve() : reject(new Error(error)))
  })
  // A failed challenge that nothing awaits must not become an unhandled rejection.
  outcome.catch(() => undefined)
  return { timer: new AbortController(), outcome, settle }
}
