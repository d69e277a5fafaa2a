// The state machine of a subscriber of `GET /revocations`, without a socket. Its inputs are the client's frames, the hub's batches and the event
// that the port has drained; its outputs go to a FeedPort.
//
// Algorithm. A subscriber has a position: the `seq` of the last entry that was sent to it. A subscription with a position starts there, if the
// hub knows that position with the same leaf hash; one without first gets the snapshot, in parts of SNAPSHOT_PART endings. From its position
// the subscriber is sent the hub's batches in order, until it has reached the hub's head or the port is full. A full port queues nothing here:
// when it has drained, sending goes on from the position, with batches from the hub's cache or from the log. A `sync` message runs a read
// barrier and is answered with `synced` after every batch which that barrier found has been sent.
//
// Cost. The hub makes each frame once for all subscribers, so an up-to-date subscriber costs one send per frame. Snapshot parts are made when
// they are sent. Between inputs a subscriber holds its position, its caller and its unanswered `sync` numbers.
//
// Limits. More than MAX_UNANSWERED_SYNCS unanswered `sync` messages close the socket (1008). A frame that is not a message of the protocol
// closes it (1003 or 1008), and so does the revocation or expiry of the caller's token (4401).
import { isRefusal } from '../errors.js'
import type { Caller } from '../http/caller.js'
import { utf8 } from '../lib/bytes.js'
import { readJson } from '../lib/json.js'
import type { Metrics } from '../lib/telemetry/metrics.js'
import { parsePosition } from '../protocol/log/entry.js'
import { CLOSE_CODES, ClientMessage, type FeedPosition, type ServerMessage } from '../protocol/log/feed.js'
import type { Batch, Hub } from './hub.js'

/** The connection to a subscriber, as the state machine sees it. */
export interface FeedPort {
  send(frame: Uint8Array): void
  /** False while the port is closed or its buffer is full. A full port calls `FeedSubscriber.resume` when it has drained. */
  canSend(): boolean
  close(code: number, reason?: string): void
}

export interface FeedDeps {
  readonly hub: Hub
  readonly issuer: string
  /** Aborts when the caller's token expires or is revoked, or when `closed` aborts. */
  readonly revocationSignal: (caller: Caller, closed: AbortSignal) => AbortSignal
  /** Verifies a new token that the client sent in-band. */
  readonly authenticateToken: (token: string, proof: string) => Promise<Caller>
  readonly onBug: (error: unknown) => void
  readonly metrics?: Metrics | undefined
}

const SNAPSHOT_PART = 800
const MAX_UNANSWERED_SYNCS = 16

export class FeedSubscriber {
  readonly #deps: FeedDeps
  readonly #port: FeedPort
  /** The caller that the client's newest token authenticates. */
  #caller: Caller
  /** `seq` of the last entry that was sent. Undefined until the client has subscribed and all of its snapshot was sent. */
  #sentSeq: number | undefined
  /** The parts of the snapshot that are still to be sent. */
  #snapshot: Iterator<ServerMessage, number> | undefined
  #isSending = false
  #isStopped = false
  /** Numbers of `sync` messages whose read barrier is done. */
  #readySyncs: number[] = []
  /** All unanswered `sync` messages: also those whose read barrier runs, and those that came before the subscription. */
  #unansweredSyncs = 0
  /** Aborting it ends the watch of the newest token. */
  #watch = new AbortController()
  readonly #unlisten: () => void

  constructor(deps: FeedDeps, port: FeedPort, caller: Caller) {
    this.#deps = deps
    this.#port = port
    this.#caller = caller
    this.#unlisten = deps.hub.onBatch(
      (batch) => this.#onBatch(batch),
      // A later token is of the same client
      { clientId: caller.id, sentSeq: () => this.#sentSeq },
    )
  }

  /** Sends `hello`, and watches the caller's token from here on. */
  start(): void {
    this.#sendHello()
    this.#watchToken()
  }

  /** Handles one frame of the client. Never rejects: a failure is sent to the client or closes the port. */
  async receive(frame: Uint8Array, isBinary: boolean): Promise<void> {
    try {
      if (isBinary) return this.#port.close(1003, 'text frames only')
      const json = readJson(frame, { maxDepth: 4 })
      const message = ClientMessage.safeParse('value' in json ? json.value : undefined)
      if (!message.success) return this.#port.close(1008, 'not a message of this protocol')
      await this.#handle(message.data)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Sends everything that is due from the position on. To be called when a full port has drained. */
  async resume(): Promise<void> {
    if (this.#isSending) return
    this.#isSending = true
    const { hub } = this.#deps
    try {
      this.#sendSnapshot()
      if (this.#sentSeq === undefined) return
      while (this.#sentSeq < hub.headSeq && this.#port.canSend()) {
        const batch = await hub.batchAfter(this.#sentSeq)
        if (batch === undefined) break
        this.#sendBatch(batch)
      }
      // No await from here to `finally`: a port that drains in between would find `#isSending` set, and not be resumed.
      if (this.#sentSeq >= hub.headSeq && this.#port.canSend()) this.#answerSyncs()
    } catch (error) {
      this.#deps.onBug(error)
      this.#port.close(1011)
    } finally {
      this.#isSending = false
    }
  }

  /** To be called when the port has closed. */
  stop(): void {
    this.#isStopped = true
    this.#unlisten()
    this.#watch.abort()
    this.#readySyncs = []
  }

  #handle(message: ClientMessage): Promise<void> | void {
    switch (message.type) {
      case 'subscribe':
        return this.#subscribe(message.from)
      case 'sync':
        return this.#sync(message.n)
      case 'ack':
        return
      case 'authenticate':
        return this.#authenticate(message.token, message.proof)
    }
  }

  #fail(error: unknown): void {
    if (!isRefusal(error)) {
      this.#deps.onBug(error)
      this.#port.close(1011)
    } else if (error.reason === 'invalid_token') this.#port.close(CLOSE_CODES.unauthenticated)
    else this.#send({ type: 'error', reason: error.reason, text: error.message })
  }

  async #subscribe(from: FeedPosition | undefined): Promise<void> {
    const { hub } = this.#deps
    // Another instance may have read further: a position ahead of this hub counts as another history only after the log was read.
    if (from !== undefined && parsePosition(from.position).seq > hub.headSeq) await hub.readBarrier()
    const decision = from && (await hub.decideResume(from))
    if (this.#sentSeq !== undefined || this.#snapshot !== undefined)
      return this.#send({ type: 'error', reason: 'bad_input', text: 'this socket has subscribed already' })
    this.#deps.metrics?.feedSubscriptions.inc({ start: decision ?? 'new' })
    if (from === undefined || decision === undefined) this.#snapshot = partsOf(hub.snapshot())
    else {
      if (decision === 'snapshot_required') return this.#send({ type: 'snapshot_required' })
      if (decision !== 'resumed') return this.#send({ type: 'reset', reason: decision })
      this.#sentSeq = parsePosition(from.position).seq
    }
    void this.resume()
  }

  async #sync(n: number): Promise<void> {
    if (this.#unansweredSyncs >= MAX_UNANSWERED_SYNCS) return this.#port.close(1008, 'too many unanswered sync messages')
    this.#unansweredSyncs++
    try {
      await this.#deps.hub.readBarrier()
    } catch (error) {
      this.#unansweredSyncs--
      throw error
    }
    this.#readySyncs.push(n)
    void this.resume()
  }

  async #authenticate(token: string, proof: string): Promise<void> {
    const caller = await this.#deps.authenticateToken(token, proof)
    // Nothing would end a watch that begins after the port has closed
    if (this.#isStopped) return
    if (caller.id !== this.#caller.id || !caller.scopes.some((scope) => scope === 'revocations:read'))
      return this.#port.close(CLOSE_CODES.unauthenticated, 'another client')
    this.#caller = caller
    this.#watchToken()
    this.#sendHello()
  }

  #watchToken(): void {
    // A client that has authenticated again may outlive its earlier token.
    this.#watch.abort()
    const watch = new AbortController()
    this.#watch = watch
    const onRevoked = () => {
      if (!watch.signal.aborted) this.#port.close(CLOSE_CODES.unauthenticated, 'the token was revoked or has expired')
    }
    const signal = this.#deps.revocationSignal(this.#caller, watch.signal)
    if (signal.aborted) onRevoked()
    else signal.addEventListener('abort', onRevoked)
  }

  #onBatch(batch: Batch): void {
    // An up-to-date subscriber is sent the batch in the same turn; all others are served from their position.
    if (this.#sentSeq === batch.prev && !this.#isSending && this.#port.canSend()) this.#sendBatch(batch)
    else void this.resume()
  }

  #sendSnapshot(): void {
    while (this.#snapshot !== undefined && this.#port.canSend()) {
      const part = this.#snapshot.next()
      if (!part.done) {
        this.#send(part.value)
        continue
      }
      this.#snapshot = undefined
      this.#sentSeq = part.value
    }
  }

  #answerSyncs(): void {
    const { head } = this.#deps.hub
    for (const n of this.#readySyncs.splice(0)) {
      this.#unansweredSyncs--
      this.#send({ type: 'synced', n, head })
    }
  }

  #sendBatch(batch: Batch): void {
    for (const frame of batch.frames) this.#port.send(frame)
    this.#sentSeq = batch.last
  }

  #sendHello(): void {
    const { hub, issuer } = this.#deps
    const expiresAt = Math.floor(this.#caller.dependencies.expiresAt)
    this.#send({ type: 'hello', version: 1, registry: issuer, head: hub.head, expiresAt })
  }

  #send(message: ServerMessage): void {
    this.#port.send(utf8(JSON.stringify(message)))
  }
}

/** The messages of a snapshot. Each is made only when it is requested. Returns the `seq` up to which the snapshot goes. */
function* partsOf({ snapshot, asOf, seq }: ReturnType<Hub['snapshot']>): Generator<ServerMessage, number> {
  const { time, ended } = snapshot
  const parts = Math.max(1, Math.ceil(ended.length / SNAPSHOT_PART))
  for (let part = 0; part < parts; part++)
    yield { type: 'snapshot', part, parts, asOf, time, ended: ended.slice(part * SNAPSHOT_PART, (part + 1) * SNAPSHOT_PART) }
  return seq
}
