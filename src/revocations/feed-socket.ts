// One subscriber of `GET /revocations`. It stands at a position; batches are sent while its socket drains. Past MAX_BUFFERED_BYTES it is
// parked: nothing is queued for it, and once it has drained it is served from its position. A parked one is closed after 30 s.
import type { RawData, WebSocket } from 'ws'
import { isRefusal } from '../errors.js'
import type { Clock } from '../lib/clock.js'
import { readJson } from '../lib/json.js'
import { parsePosition } from '../protocol/entry.js'
import { CLOSE_CODES, ClientMessage, type FeedPlace, type ServerMessage } from '../protocol/feed.js'
import type { Caller } from '../transport/caller.js'
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

const MAX_BUFFERED_BYTES = 262_144
const PARKED_MS = 30_000
const SNAPSHOT_PART = 800
const MAX_SYNCS_WAITING = 16

export function serveFeed(deps: FeedSocketDeps, ws: WebSocket, caller: Caller): void {
  const { hub, clock } = deps
  /** `seq` up to which everything was sent; undefined until it has subscribed. */
  let at: number | undefined
  let pumping = false
  let parked: AbortController | undefined
  let syncs: number[] = []
  /** Challenges that have come and are not answered: one that comes before the subscription waits for it. */
  let syncing = 0
  let current = caller
  const over = new AbortController()

  const send = (message: ServerMessage) => ws.send(JSON.stringify(message), onSent)
  /** Called as the socket drains. */
  const onSent = () => {
    if (parked === undefined || ws.bufferedAmount > MAX_BUFFERED_BYTES / 2) return
    parked.abort()
    parked = undefined
    void pump()
  }
  const isFull = (): boolean => {
    if (ws.bufferedAmount <= MAX_BUFFERED_BYTES) return false
    if (parked === undefined) {
      const park = new AbortController()
      parked = park
      void clock.after(PARKED_MS, park.signal).then(() => {
        if (!park.signal.aborted) ws.close(CLOSE_CODES.slow_reader, 'the reader is too slow')
      })
    }
    return true
  }
  const deliver = (batch: Batch) => {
    for (const frame of batch.frames) ws.send(frame, { binary: false }, onSent)
    at = batch.last
  }
  /** Sends whatever is there from its position on. */
  const pump = async (): Promise<void> => {
    if (pumping || at === undefined) return
    pumping = true
    try {
      while (at < hub.at && ws.readyState === ws.OPEN && !isFull()) {
        const batch = await hub.batchAfter(at)
        if (batch === undefined) break
        deliver(batch)
      }
      if (at >= hub.at && !isFull()) answerSyncs()
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
    if (at === batch.prev && !pumping && ws.readyState === ws.OPEN && !isFull()) deliver(batch)
    else void pump()
  })

  const subscribe = async (from: FeedPlace | undefined) => {
    // Another instance may have read on: what this one has not applied yet is no other history.
    if (from !== undefined && parsePosition(from.position).seq > hub.at) await hub.fence()
    if (at !== undefined) return send({ type: 'error', reason: 'bad_input', text: 'this socket has subscribed already' })
    if (from === undefined) return sendSnapshot()
    const judged = hub.judge(from)
    if (judged === 'snapshot_required') return send({ type: 'snapshot_required' })
    if (judged !== 'resumed') return send({ type: 'reset', reason: judged })
    at = parsePosition(from.position).seq
    void pump()
  }
  const sendSnapshot = () => {
    const { snapshot, place, seq } = hub.snapshot()
    const parts = Math.max(1, Math.ceil(snapshot.ended.length / SNAPSHOT_PART))
    for (let part = 0; part < parts; part++)
      send({
        type: 'snapshot',
        part,
        parts,
        place,
        time: snapshot.time,
        ended: snapshot.ended.slice(part * SNAPSHOT_PART, (part + 1) * SNAPSHOT_PART),
      })
    at = seq
    void pump()
  }
  const sync = async (n: number) => {
    if (syncing >= MAX_SYNCS_WAITING) return ws.close(1008, 'too many challenges')
    syncing++
    await hub.fence()
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
    expiresAt: Math.floor(current.ground.until),
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
    parked?.abort()
    over.abort()
    syncs = []
  })
  send(helloOf())
  watchStanding()
}
