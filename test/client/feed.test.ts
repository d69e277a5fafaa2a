import { afterEach, beforeEach, expect, test } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Feed, type FeedDeps, openFeed } from '../../src/client/feed.js'
import { systemClock } from '../../src/lib/clock.js'
import { systemRandom } from '../../src/lib/random.js'
import { newHandle } from '../../src/protocol/handles.js'
import { positionOf } from '../../src/protocol/log/entry.js'
import type { ClientMessage, FeedPosition, ServerMessage } from '../../src/protocol/log/feed.js'

type Says = (message: ServerMessage) => void
/** What the registry answers; each test plays one that lies. */
let answer: (message: ClientMessage, say: Says) => void
let registry: WebSocketServer
let feed: Feed | undefined
let connections = 0
const epoch = newHandle(systemRandom, 'epo')
const placeOf = (seq: number, hash = 'h'): FeedPosition => ({ position: positionOf(epoch, seq), hash: hash.repeat(43) })
const snapshotAt = (place: FeedPosition): ServerMessage => ({ type: 'snapshot', part: 0, parts: 1, place, time: 1, ended: [] })

beforeEach(async () => {
  connections = 0
  registry = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: ([first]) => first ?? false })
  registry.on('connection', (ws: WebSocket) => {
    connections++
    const say: Says = (message) => ws.send(JSON.stringify(message))
    ws.on('message', (data) => answer(JSON.parse(String(data)), say))
    say({ type: 'hello', version: 1, registry: 'r', head: placeOf(5), expiresAt: 1 })
  })
  await new Promise((resolve) => registry.once('listening', resolve))
})
afterEach(() => {
  feed?.close()
  for (const ws of registry.clients) ws.terminate()
  registry.close()
})
const open = async (options: Partial<FeedDeps> = {}): Promise<Feed> => {
  const { port } = registry.address() as { port: number }
  feed = await openFeed({
    url: async () => `ws://127.0.0.1:${port}`,
    ticket: async () => 't',
    clock: systemClock,
    random: systemRandom,
    ...options,
  })
  return feed
}
const honest =
  (place: FeedPosition) =>
  (message: ClientMessage, say: Says): void => {
    if (message.type === 'subscribe') say(snapshotAt(place))
    if (message.type === 'sync') say({ type: 'synced', n: message.n, head: place })
  }

test('a sign of life counts from the place that is applied, and from no other', async () => {
  answer = honest(placeOf(5))
  const feed = await open()
  await feed.sync()
  const { freshAt } = feed
  for (const head of [
    placeOf(4),
    placeOf(6),
    placeOf(5, 'x'),
    { ...placeOf(5), position: positionOf(newHandle(systemRandom, 'epo'), 5) },
  ]) {
    answer = (message, say) => message.type === 'sync' && say({ type: 'synced', n: message.n, head })
    await expect(feed.sync(500)).rejects.toThrow()
    answer = honest(placeOf(5))
    await expect.poll(() => feed.sync(200).then(() => 'fresh', String)).toBe('fresh')
  }
  expect(feed.freshAt).toBeGreaterThan(freshAt ?? 0)
  expect(feed.place).toEqual(placeOf(5))
})

test('what a dropped socket says after its lie counts for nothing', async () => {
  answer = honest(placeOf(5))
  const feed = await open()
  await feed.sync()
  const { freshAt } = feed
  // An earlier place, and in the same breath a sign of life for every challenge that may come
  answer = (_, say) => {
    say(snapshotAt(placeOf(3)))
    for (let n = 0; n < 20; n++) say({ type: 'synced', n, head: placeOf(5) })
  }
  const before = connections
  for (let i = 0; i < 5; i++) await expect(feed.sync(100)).rejects.toThrow()
  await expect.poll(() => connections).toBeGreaterThan(before + 1)
  expect([feed.at, feed.freshAt]).toEqual([5, freshAt])
})

test('messages and members that only a newer registry knows are passed over', async () => {
  const ended = [{ handle: newHandle(systemRandom, 'tok'), weather: 'fine' }, { handle: `zone:${'z'.repeat(22)}` }]
  const odd = (message: object): ServerMessage => ({ ...message, weather: 'fine' }) as unknown as ServerMessage
  answer = (message, say) => {
    say(odd({ type: 'weather', is: 'fine' }))
    if (message.type === 'subscribe') say(odd({ ...snapshotAt(placeOf(5)), ended }))
    if (message.type === 'sync') say(odd({ type: 'synced', n: message.n, head: odd(placeOf(5)) }))
  }
  const feed = await open()
  await feed.sync()
  expect([connections, feed.place, feed.ended.size]).toEqual([1, placeOf(5), 2])
  // One of a type that this build knows has to be as it knows it
  answer = (_, say) => say(odd({ type: 'synced' }))
  await expect(feed.sync(200)).rejects.toThrow()
  await expect.poll(() => connections).toBeGreaterThan(1)
})

test('a snapshot counts whole, in the order of its parts, or not at all', async () => {
  const handles = Array.from({ length: 3 }, () => newHandle(systemRandom, 'tok'))
  const part = (n: number): ServerMessage => ({
    type: 'snapshot',
    part: n,
    parts: 3,
    place: placeOf(5),
    time: 1,
    ended: [{ handle: handles[n] ?? newHandle(systemRandom, 'tok') }],
  })
  const orders = [
    [0, 2],
    [1, 2],
    [0, 1, 1, 2],
    [0, 1, 0, 1, 2],
  ]
  answer = (message, say) => {
    if (message.type !== 'subscribe') return
    for (const n of orders.shift() ?? []) say(part(n))
  }
  const opened = await open()
  expect([connections, opened.ended.size]).toEqual([4, 3])
  expect(handles.every((handle) => opened.ended.has(handle))).toBe(true)
})

test.each(['onEnded', 'save'])('%s that fails is told of, and tried again on the next connection', async (which) => {
  const full = snapshotAt(placeOf(5))
  const ended = [{ handle: newHandle(systemRandom, 'tok') }]
  answer = (message, say) => message.type === 'subscribe' && say({ ...full, ...(full.type === 'snapshot' && { ended }) })
  const errors: unknown[] = []
  let left = 2
  const failing = async () => {
    if (left-- > 0) throw new Error('disk full')
  }
  await open({
    onError: (error) => errors.push(error),
    ...(which === 'onEnded' ? { onEnded: failing } : { store: { load: async () => undefined, save: failing } }),
  })
  await expect.poll(() => left).toBeLessThan(0)
  expect(errors.map(String)).toEqual(['Error: disk full', 'Error: disk full'])
})

test('a registry that cannot be reached again is told of', async () => {
  answer = honest(placeOf(5))
  const errors: unknown[] = []
  let isGone = false
  const ticket = async () => {
    if (isGone) throw new Error('unreachable')
    return 't'
  }
  await open({ ticket, onError: (error) => errors.push(error) })
  isGone = true
  for (const ws of registry.clients) ws.terminate()
  await expect.poll(() => errors.map(String)).toContain('Error: unreachable')
  isGone = false
  await expect.poll(() => feed?.sync(200).then(() => 'fresh', String)).toBe('fresh')
})
