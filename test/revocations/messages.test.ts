import { afterAll, beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { systemRandom } from '../../src/lib/random.js'
import { type Handle, newHandle } from '../../src/protocol/handles.js'
import { FEED_PROTOCOL, type FeedPosition, MAX_FRAME_BYTES, ServerMessage } from '../../src/protocol/log/feed.js'
import { proofOf } from '../oauth/requests.js'
import { type AgentActor, type Registry, startRegistry } from '../registry.js'

let registry: Registry
let agent: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  agent = await registry.agent()
})
afterAll(() => registry[Symbol.asyncDispose]())

/** Appends one entry for each count, which ends that many new handles. All entries are in one block. */
const endTogether = async (counts: readonly number[]): Promise<Handle[]> => {
  const all = counts.map((count) => Array.from({ length: count }, () => newHandle(systemRandom, 'tok')))
  const horizon = registry.clock.now() + 3600
  await Promise.all(
    all.map((handles) =>
      registry.servers[0]?.trustLog.end({ type: 'token.revoked', ends: handles.map((handle) => ({ handle, horizon })), operations: [] }),
    ),
  )
  return all.flat()
}

/** All messages that a server sends to a subscriber from this position, up to `synced`. */
async function receiveAll(port: number, from: FeedPosition): Promise<{ readonly message: ServerMessage; readonly bytes: number }[]> {
  const { accessToken } = await agent.token()
  const dpop = await proofOf(registry, agent.signer, { htm: 'GET', path: '/revocations', accessToken })
  const ws = new WebSocket(`ws://127.0.0.1:${port}/revocations`, [FEED_PROTOCOL], {
    headers: { authorization: `DPoP ${accessToken}`, dpop },
  })
  const received: { message: ServerMessage; bytes: number }[] = []
  await new Promise<void>((resolve, reject) => {
    ws.on('error', reject)
    ws.on('message', (data) => {
      const text = String(data)
      const message = ServerMessage.parse(JSON.parse(text))
      received.push({ message, bytes: Buffer.byteLength(text) })
      if (message.type === 'hello') ws.send(JSON.stringify({ type: 'subscribe', from }))
      if (message.type === 'hello') ws.send(JSON.stringify({ type: 'sync', n: 1 }))
      if (message.type === 'synced') resolve()
    })
  })
  ws.terminate()
  return received
}

test('no message exceeds 64 KiB, however many handles end at once, and the client reports each entry in one call', async () => {
  const calls: { handles: Handle[]; position: string }[] = []
  const feed = await agent.subscribe({
    onRevoked: (ended, position) => {
      calls.push({ handles: ended.map(({ handle }) => handle), position })
    },
  })
  const { position } = feed
  if (position === undefined) throw new Error('the feed has no position')
  const ended = [...(await endTogether([5000])), ...(await endTogether(Array(20).fill(300)))]
  await feed.sync(10_000)
  expect(ended.filter((handle) => !feed.ended.has(handle))).toEqual([])
  expect(calls.flatMap(({ handles }) => handles).sort()).toEqual([...ended].sort())
  expect(calls.filter(({ handles }) => handles.length >= 5000)).toHaveLength(1)
  feed.close()

  // The first servers send cached batches; a server that started later reads the log
  const late = await registry.addServer((_, work) => work())
  for (const port of [registry.servers[0]?.port ?? 0, late.port]) {
    const received = await receiveAll(port, position)
    expect(Math.max(...received.map(({ bytes }) => bytes))).toBeLessThanOrEqual(MAX_FRAME_BYTES)
    let lastSeq = Number(position.position.split('.').at(-1))
    for (const { message } of received) {
      if (message.type !== 'events') continue
      expect(message.prev).toBe(lastSeq)
      lastSeq = message.last
    }
    const handles = received.flatMap(({ message }) => (message.type === 'events' || message.type === 'ended' ? message.ended : []))
    expect(handles.map(({ handle }) => handle).sort()).toEqual([...ended].sort())
    expect(received.filter(({ message }) => message.type === 'ended').length).toBeGreaterThan(0)
  }
})
