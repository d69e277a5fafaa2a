// The client side of the revocation feed (GET /revocations) as a state machine. The class has no socket and no timer: each method takes an
// event and returns the effects that the caller carries out, in order.
//
// Algorithm. After `hello` the client subscribes from the position that it has applied. `events` extend the log from `prev` to `last`; if
// `prev` is past the applied position, an entry is missing, so the connection is dropped and the next one subscribes again from the
// applied position. `snapshot_required` and `reset` ask for a subscription without a position; the whole ended set then arrives in
// numbered parts and is merged, so a handle never leaves the set because a registry forgot it. A position earlier than the applied one in
// the same epoch, a part out of order or a head with another hash means that the registry shows another history: the connection is
// dropped.
// `position` follows the handler and the store: it advances when they have finished, so a connection after a failed handler subscribes from
// before the failure and delivers those endings again. The ended set does not wait for them.
// Freshness is proved by a challenge: `sync` carries a number, `synced` repeats it together with the head of the log. If that head is the
// applied position, everything acknowledged before the challenge was sent is applied, so `freshAt` becomes the monotonic time of sending.
// One challenge is in flight at a time; requests that arrive meanwhile share the next one.
//
// Cost: 40–80 bytes for each ended handle (handle-table.ts), and one step for each handle in a message.
// Limits: the handles of `ended` messages and of snapshot parts are held until the message that completes them; only the registry bounds
// their number. The delay before a reconnection doubles from 100 ms to at most 5 s.
import type { Clock } from '../lib/clock.js'
import { unreachable } from '../lib/unreachable.js'
import { type EndedSet, newEndedSet, type Snapshot } from '../protocol/log/ended-set.js'
import { type Ending, type Position, parsePosition, positionOf } from '../protocol/log/entry.js'
import type { ClientMessage, FeedPosition, ServerMessage } from '../protocol/log/feed.js'

export type FeedEffect =
  | { readonly type: 'send'; readonly message: ClientMessage }
  /** Close the connection, ignore whatever else it delivers, then call `disconnected`. */
  | { readonly type: 'drop' }
  /** Call the handler and the store, then `delivered`. */
  | { readonly type: 'deliver'; readonly revoked: readonly Ending[]; readonly position: FeedPosition }
  /** The first useful message of a connection has been applied. */
  | { readonly type: 'live' }
  /** Send `sync` with this number. Call `challengeFailed` if it cannot be sent or is not answered in time. */
  | { readonly type: 'challenge'; readonly n: number }
  /** The outcome of a challenge; without an error it proved freshness. */
  | { readonly type: 'settled'; readonly n: number; readonly error?: string }

interface Challenge {
  readonly n: number
  readonly sentAtMs: number
}

const FIRST_BACK_OFF_MS = 100
const MAX_BACK_OFF_MS = 5000

const DROP: readonly FeedEffect[] = [{ type: 'drop' }]

export class FeedState {
  readonly ended: EndedSet = newEndedSet()
  /** Everything up to this position is applied, and the handler and the store have finished with it. A connection subscribes from here. */
  position: FeedPosition | undefined
  /** Monotonic time in milliseconds; everything acknowledged before it is applied. */
  freshAt: number | undefined

  readonly #clock: Pick<Clock, 'monotonicMs'>
  /** Everything up to this position is applied. Ahead of `position` during a delivery and after a failed one. */
  #applied: FeedPosition | undefined
  #isLive = false
  #backOffMs = FIRST_BACK_OFF_MS
  #inFlight: Challenge | undefined
  #isNextWanted = false
  #challenges = 0
  #parts: Ending[] = []
  #nextPart = 0
  /** Handles of `ended` messages that belong to the next `events` message. */
  #pendingEvents: Ending[] = []

  constructor(clock: Pick<Clock, 'monotonicMs'>, saved?: { readonly position: FeedPosition; readonly snapshot: Snapshot }) {
    this.#clock = clock
    if (!saved) return
    this.ended.merge(saved.snapshot)
    this.position = saved.position
    this.#applied = saved.position
  }

  /** A connection is about to be opened. Incomplete messages of an earlier one are discarded. */
  connecting(): void {
    this.#pendingEvents = []
    this.#parts = []
    this.#nextPart = 0
  }

  receive(message: ServerMessage): readonly FeedEffect[] {
    switch (message.type) {
      case 'hello':
        return [{ type: 'send', message: { type: 'subscribe', ...(this.position && { from: this.position }) } }]
      case 'snapshot':
        return this.#receiveSnapshot(message)
      case 'ended':
        this.#pendingEvents.push(...message.ended)
        return []
      case 'events':
        return this.#receiveEvents(message)
      case 'synced':
        return this.#receiveSynced(message)
      case 'reset':
      case 'snapshot_required':
        return [{ type: 'send', message: { type: 'subscribe' } }]
      case 'move':
      case 'error':
        return DROP
      default:
        throw unreachable(message)
    }
  }

  /** The handler and the store have finished with the `deliver` effect of this position. */
  delivered(position: FeedPosition): readonly FeedEffect[] {
    this.position = position
    return this.#becomeLive()
  }

  /** The connection is lost. The challenge in flight fails, and so does the next one if it was requested. */
  disconnected(error = 'the connection to the revocation feed was lost'): readonly FeedEffect[] {
    this.#isLive = false
    return this.#settle(error)
  }

  /** The delay before the next connection attempt: a random share, 50–100 %, of a delay that doubles with each attempt. */
  takeBackOffMs(randomByte: number): number {
    const delay = this.#backOffMs * (0.5 + randomByte / 512)
    this.#backOffMs = Math.min(this.#backOffMs * 2, MAX_BACK_OFF_MS)
    return delay
  }

  /** Requests proof of freshness by challenge `n`: a new challenge, or the next one if another is in flight. */
  sync(): { readonly n: number; readonly effects: readonly FeedEffect[] } {
    if (!this.#inFlight) return { n: this.#challenges, effects: this.#begin() }
    this.#isNextWanted = true
    return { n: this.#challenges, effects: [] }
  }

  challengeFailed(n: number, error: string): readonly FeedEffect[] {
    return this.#inFlight?.n === n ? this.#settle(error) : []
  }

  #begin(): readonly FeedEffect[] {
    const challenge = { n: this.#challenges++, sentAtMs: this.#clock.monotonicMs() }
    this.#inFlight = challenge
    return [{ type: 'challenge', n: challenge.n }]
  }

  #settle(error?: string): readonly FeedEffect[] {
    if (!this.#inFlight) return []
    const { n, sentAtMs } = this.#inFlight
    if (error === undefined) this.freshAt = sentAtMs
    this.#inFlight = undefined
    const settled: FeedEffect = { type: 'settled', n, ...(error !== undefined && { error }) }
    if (!this.#isNextWanted) return [settled]
    this.#isNextWanted = false
    return [settled, ...this.#begin()]
  }

  #receiveSnapshot(message: ServerMessage & { readonly type: 'snapshot' }): readonly FeedEffect[] {
    if (message.part === 0) {
      this.#parts = []
      this.#nextPart = 0
    }
    // A missing part would be a missing revocation.
    if (message.part !== this.#nextPart++) return DROP
    for (const ending of message.ended) this.#parts.push(ending)
    if (this.#nextPart < message.parts) return []
    const { asOf: position, time } = message
    if (this.#isBehind(position)) return DROP
    const ended = this.#parts
    this.#parts = []
    const snapshot = { position: position.position, time, ended }
    // The set is merged and never replaced: a revoked handle stays revoked, whatever history this registry shows.
    if (this.#applied && epochOf(this.#applied.position) === epochOf(position.position)) this.ended.merge(snapshot)
    else this.ended.switchEpoch(snapshot)
    this.#applied = position
    return [{ type: 'deliver', revoked: ended, position }]
  }

  #receiveEvents({ epoch, prev, last, time, hash, ended }: ServerMessage & { readonly type: 'events' }): readonly FeedEffect[] {
    const revoked = [...this.#pendingEvents, ...ended]
    this.#pendingEvents = []
    const outcome = this.ended.apply({ epoch, prev, last, time, ended: revoked })
    // The next connection subscribes from the last position that is certain.
    if (outcome === 'gap' || outcome === 'other_epoch') return DROP
    const position = { position: positionOf(epoch, last), hash }
    if (!this.#isBehind(position)) this.#applied = position
    const deliveredSeq = this.position && epochOf(this.position.position) === epoch ? parsePosition(this.position.position).seq : -1
    if (last <= deliveredSeq) return []
    // Endings between `position` and the applied position were not delivered yet, so a gap there would lose them for the handler.
    return prev > deliveredSeq ? DROP : [{ type: 'deliver', revoked, position }]
  }

  #receiveSynced({ n, head }: ServerMessage & { readonly type: 'synced' }): readonly FeedEffect[] {
    // A head that is not the applied position proves nothing about it.
    if (head.position !== this.#applied?.position || head.hash !== this.#applied.hash) return DROP
    return [...this.#becomeLive(), ...(this.#inFlight?.n === n ? this.#settle() : [])]
  }

  #becomeLive(): readonly FeedEffect[] {
    if (this.#isLive) return []
    this.#isLive = true
    this.#backOffMs = FIRST_BACK_OFF_MS
    return [{ type: 'live' }]
  }

  /** True for an earlier position of the same epoch: the registry has lost a part of the log that it showed before. */
  #isBehind({ position }: FeedPosition): boolean {
    if (this.#applied === undefined) return false
    const [now, applied] = [parsePosition(position), parsePosition(this.#applied.position)]
    return now.epoch === applied.epoch && now.seq < applied.seq
  }
}

const epochOf = (position: Position): string => parsePosition(position).epoch
