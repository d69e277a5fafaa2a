// One subscriber of `GET /revocations`. It stands at a position, or inside a snapshot; parts and batches are sent while its socket drains.
// Nothing is queued for one that is parked: once it has drained it is served from where it stands.
import type { RawData, WebSocket } from 'ws'
import { isRefusal } from '../errors.js'
import type { Caller } from '../http/caller.js'
import type { Clock } from '../lib/clock.js'
import { readJson } from '../lib/json.js'
import { parsePosition } from '../protocol/log/entry.js'
import { CLOSE_CODES, ClientMessage, type FeedPosition, type ServerMessage } from '../protocol/log/feed.js'
import { newBackpressureSocket } from './backpressure-socket.js'
import type { Batch, Hub } from './hub.js'

export interface FeedSocketDeps {
  readonly hub: Hub
  readonly clock: Clock
  readonly issuer: string
  readonly alive: (caller: Caller) => AbortSignal
  /** A new token of the same client, sent in-band. */
  readonly authenticateToken: (token: string, proof: string) => Promise<Caller>
  readonly onBug: (error: unknown) => void
}

const SNAPSHOT_PART = 800
const MAX_SYNCS_WAITING = 16

export function serveFeed(deps: FeedSocketDeps, ws: WebSocket, caller: Caller): void {
  const { hub, clock } = deps
  /** `seq` up to which everything was sent; undefined until it has subscribed and has the whole snapshot. */
  let at: number | undefined
  /** What is left of the snapshot that it is being sent. */
  let parts: Iterator<ServerMessage, number> | undefined
  let pumping = false
  let syncs: number[] = []
  /** Challenges that have come and are not answered: one that comes before the subscription waits for it. */
  let syncing = 0
  let current = caller
  const over = new AbortController()
  const paced = newBackpressureSocket(ws, clock, () => void pump())

  const send = (message: ServerMessage) => paced.send(JSON.stringify(message))
  const deliver = (batch: Batch) => {
    for (const frame of batch.frames) paced.send(frame)
    at = batch.last
  }
  const mayGoOn = () => ws.readyState === ws.OPEN && !paced.isFull()
  const sendParts = () => {
    while (parts !== undefined && mayGoOn()) {
      const part = parts.next()
      if (!part.done) {
        send(part.value)
        continue
      }
      parts = undefined
      at = part.value
    }
  }
  /** Sends whatever is there from where it stands on. */
  const pump = async (): Promise<void> => {
    if (pumping) return
    pumping = true
    try {
      sendParts()
      if (at === undefined) return
      while (at < hub.at && mayGoOn()) {
        const batch = await hub.batchAfter(at)
        if (batch === undefined) break
        deliver(batch)
      }
      if (at >= hub.at && mayGoOn()) answerSyncs()
    } catch (error) {
      deps.onBug(error)
      ws.close(1011)
    } finally {
      pumping = false
    }
  }
  const answerSyncs = () => {
    const head = hub.place
    for (const n of syncs.splice(0)) {
      syncing--
      send({ type: 'synced', n, head })
    }
  }
  // The fast way: it stands where the batch begins, and its socket drains.
  const unlisten = hub.onBatch((batch) => {
    if (at === batch.prev && !pumping && mayGoOn()) deliver(batch)
    else void pump()
  })

  const subscribe = async (from: FeedPosition | undefined) => {
    // Another instance may have read on: what this one has not applied yet is no other history.
    if (from !== undefined && parsePosition(from.position).seq > hub.at) await hub.fence()
    if (at !== undefined || parts !== undefined)
      return send({ type: 'error', reason: 'bad_input', text: 'this socket has subscribed already' })
    if (from === undefined) {
      parts = partsOf(hub.snapshot())
      void pump()
      return
    }
    const judged = hub.judge(from)
    if (judged === 'snapshot_required') return send({ type: 'snapshot_required' })
    if (judged !== 'resumed') return send({ type: 'reset', reason: judged })
    at = parsePosition(from.position).seq
    void pump()
  }
  const sync = async (n: number) => {
    if (syncing >= MAX_SYNCS_WAITING) return ws.close(1008, 'too many challenges')
    syncing++
    await hub.fence().catch((error: unknown) => {
      syncing--
      throw error
    })
    syncs.push(n)
    void pump()
  }
  const authenticate = async (token: string, proof: string) => {
    const next = await deps.authenticateToken(token, proof)
    if (next.id !== current.id || !next.scopes.some((scope) => scope === 'revocations:read'))
      return ws.close(CLOSE_CODES.unauthenticated, 'another client')
    current = next
    watchStanding()
    send(helloOf())
  }
  const helloOf = (): ServerMessage => ({
    type: 'hello',
    version: 1,
    registry: deps.issuer,
    head: hub.place,
    expiresAt: Math.floor(current.dependencies.expiresAt),
  })
  const watchStanding = () => {
    const watched = current
    const end = () => {
      if (watched === current) ws.close(CLOSE_CODES.unauthenticated, 'the token no longer stands')
    }
    const signal = deps.alive(watched)
    if (signal.aborted) return end()
    signal.addEventListener('abort', end, { signal: over.signal })
  }

  const receive = async (data: RawData, isBinary: boolean): Promise<void> => {
    if (isBinary) return ws.close(1003, 'text frames only')
    const json = readJson(new Uint8Array(data as Buffer), { maxDepth: 4 }) // ws hands over a Buffer: its binaryType is the default
    const message = ClientMessage.safeParse('value' in json ? json.value : undefined)
    if (!message.success) return ws.close(1008, 'not a message of this protocol')
    switch (message.data.type) {
      case 'subscribe':
        return subscribe(message.data.from)
      case 'sync':
        return sync(message.data.n)
      case 'ack':
        return
      case 'authenticate':
        return authenticate(message.data.token, message.data.proof)
    }
  }
  ws.on('message', (data, isBinary) => {
    receive(data, isBinary).catch((error: unknown) => {
      if (!isRefusal(error)) deps.onBug(error)
      if (isRefusal(error) && error.reason !== 'invalid_token') return send({ type: 'error', reason: error.reason, text: error.message })
      ws.close(isRefusal(error) ? CLOSE_CODES.unauthenticated : 1011)
    })
  })
  ws.on('close', () => {
    unlisten()
    paced.stop()
    over.abort()
    syncs = []
  })
  send(helloOf())
  watchStanding()
}

/** The snapshot in its messages, made as they are sent; then where it ends. */
function* partsOf({ snapshot, place, seq }: ReturnType<Hub['snapshot']>): Generator<ServerMessage, number> {
  const { time, ended } = snapshot
  const parts = Math.max(1, Math.ceil(ended.length / SNAPSHOT_PART))
  for (let part = 0; part < parts; part++)
    yield { type: 'snapshot', part, parts, place, time, ended: ended.slice(part * SNAPSHOT_PART, (part + 1) * SNAPSHOT_PART) }
  return seq
}
