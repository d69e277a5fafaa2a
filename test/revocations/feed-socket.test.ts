// The feed over real sockets, whose server ends the tests can inspect. feed-subscriber.test.ts tests the state machine without a socket.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import WebSocket, { WebSocketServer } from 'ws'
import type { TokenCaller } from '../../src/http/caller.js'
import { systemRandom } from '../../src/lib/random.js'
import { type Handle, newHandle } from '../../src/protocol/handles.js'
import { AgentId, Jkt, newId, OrgId, TokenId } from '../../src/protocol/ids.js'
import { MAX_FRAME_BYTES, ServerMessage } from '../../src/protocol/log/feed.js'
import { MAX_BUFFERED_BYTES } from '../../src/revocations/backpressure-socket.js'
import { serveFeed } from '../../src/revocations/feed-socket.js'
import { type Hub, newHub } from '../../src/revocations/hub.js'
import type { ServedTrustLog } from '../../src/trust-log/trust-log.js'
import { aBarrier, end, type Logs, openLogs } from '../trust-log/open-logs.js'

const COUNT = 175_000
const FRAME_BYTES = 65_536
let logs: Logs
let trustLog: ServedTrustLog
let hub: Hub
let server: WebSocketServer
let served: WebSocket[]
const handles: Handle[] = []

const caller: TokenCaller = {
  kind: 'agent',
  id: AgentId.parse(newId(systemRandom, 'agt')),
  orgId: OrgId.parse(newId(systemRandom, 'org')),
  role: 'agent',
  scopes: [],
  tokenId: TokenId.parse(newId(systemRandom, 'tok')),
  jkt: Jkt.parse('A'.repeat(43)),
  dependencies: { handles: [], expiresAt: 2_000_000_000 },
  identities: [],
  barrier: aBarrier,
}

/** About 7 MB of ended handles, which is more than the socket buffers of the kernel hold. */
const flood = async () => {
  for (let i = 0; i < COUNT / 10_000; i++) {
    const batch = Array.from({ length: 10_000 }, () => newHandle(systemRandom, 'tok'))
    handles.push(...batch)
    await end(trustLog, ...batch)
  }
}

beforeAll(async () => {
  logs = await openLogs()
  trustLog = await logs.open()
  hub = newHub({ trustLog })
  await flood()
})
afterAll(async () => {
  hub.close()
  await logs[Symbol.asyncDispose]()
})
beforeEach(async () => {
  served = []
  server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  const { clock } = logs
  const revocationSignal = () => new AbortController().signal
  server.on('connection', (ws) => {
    served.push(ws)
    const deps = {
      hub,
      clock,
      issuer: 'r',
      revocationSignal,
      authenticateToken: async () => caller,
      onBug: (error: unknown) => expect(error).toBe(''),
    }
    serveFeed(deps, ws, caller)
  })
  await new Promise((resolve) => server.once('listening', resolve))
})
afterEach(() => {
  for (const ws of server.clients) ws.terminate()
  server.close()
})

async function connect() {
  const { port } = server.address() as { port: number }
  const ws = new WebSocket(`ws://127.0.0.1:${port}`)
  const messages: ServerMessage[] = []
  ws.on('message', (data) => messages.push(JSON.parse(String(data))))
  await new Promise((resolve) => ws.once('open', resolve))
  const code = new Promise<number>((resolve) => ws.once('close', resolve))
  const ended = () => new Set(messages.flatMap((message) => ('ended' in message ? message.ended.map(({ handle }) => handle) : [])))
  return { ws, messages, ended, code, send: (message: object) => ws.send(JSON.stringify(message)) }
}

test('a reader that stops inside its snapshot has at most one frame beyond 256 KiB buffered, and gets the rest when it reads on', async () => {
  const slow = await connect()
  slow.ws.pause()
  slow.send({ type: 'subscribe' })
  slow.send({ type: 'sync', n: 1 })
  const [ws] = served
  await expect.poll(() => ws?.bufferedAmount).toBeGreaterThan(MAX_BUFFERED_BYTES)
  const late = newHandle(systemRandom, 'tok')
  await end(trustLog, late)
  handles.push(late)
  expect(ws?.bufferedAmount).toBeLessThan(MAX_BUFFERED_BYTES + FRAME_BYTES)
  slow.ws.resume()
  await expect.poll(() => slow.messages.some(({ type }) => type === 'synced')).toBe(true)
  expect(slow.ended()).toEqual(new Set(handles))
  const kinds = slow.messages.map(({ type }) => type)
  expect(kinds.lastIndexOf('snapshot')).toBeLessThan(kinds.indexOf('events'))
  expect(kinds.indexOf('events')).toBeLessThan(kinds.indexOf('synced'))
})

test('a reader that stops inside its snapshot is closed after 30 s', async () => {
  const slow = await connect()
  slow.ws.pause()
  slow.send({ type: 'subscribe' })
  await expect.poll(() => served[0]?.bufferedAmount).toBeGreaterThan(MAX_BUFFERED_BYTES)
  logs.clock.advance(31)
  slow.ws.resume()
  expect(await slow.code).toBe(4408)
  expect(slow.ended().size).toBeLessThan(handles.length)
})

test('a second subscription is refused while the snapshot is being sent', async () => {
  const slow = await connect()
  slow.ws.pause()
  slow.send({ type: 'subscribe' })
  slow.send({ type: 'subscribe' })
  await expect.poll(() => served[0]?.bufferedAmount).toBeGreaterThan(MAX_BUFFERED_BYTES)
  slow.ws.resume()
  await expect.poll(() => slow.messages.some(({ type }) => type === 'error')).toBe(true)
  await expect.poll(() => slow.ended().size).toBe(handles.length)
})

test('25,000 handles that end in one block are sent in messages within the bounds of the protocol', async () => {
  const quick = await connect()
  quick.send({ type: 'subscribe', from: hub.head })
  quick.send({ type: 'sync', n: 1 })
  await expect.poll(() => quick.messages.at(-1)?.type).toBe('synced')
  const before = hub.head
  const many = Array.from({ length: 25_000 }, () => newHandle(systemRandom, 'int'))
  await end(trustLog, ...many)
  handles.push(...many)
  const replayed = await connect()
  replayed.send({ type: 'subscribe', from: before })
  for (const reader of [quick, replayed]) {
    reader.send({ type: 'sync', n: 2 })
    await expect.poll(() => reader.messages.at(-1)?.type).toBe('synced')
    expect(reader.messages.filter((message) => !ServerMessage.safeParse(message).success)).toEqual([])
    const batches = reader.messages.filter(({ type }) => type === 'events').map((message) => message as ServerMessage & { type: 'events' })
    // An entry has at most 10,000 endings. Those that do not fit in its `events` message precede it in `ended` messages.
    expect(batches.map(({ prev, last }) => last - prev)).toEqual([1, 1, 1])
    expect(Math.max(...reader.messages.map((message) => JSON.stringify(message).length))).toBeLessThanOrEqual(MAX_FRAME_BYTES)
    expect(batches.slice(1).every(({ prev }, i) => prev === batches[i]?.last)).toBe(true)
    expect(reader.ended()).toEqual(new Set(many))
  }
})
