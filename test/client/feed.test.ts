import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Feed, type FeedDeps, openFeed } from '../../src/client/feed.js'
import { systemClock } from '../../src/lib/clock.js'
import { systemRandom } from '../../src/lib/random.js'
import { newHandle } from '../../src/protocol/handles.js'
import { positionOf } from '../../src/protocol/log/entry.js'
import type { ClientMessage, FeedPosition, ServerMessage } from '../../src/protocol/log/feed.js'
import { setClock } from '../set-clock.js'
import { type SwallowingProxy, silentServer, swallowingProxy } from '../swallowing-proxy.js'

type Send = (message: ServerMessage) => void
/** The registry's reaction to a message, set by each test. */
let react: (message: ClientMessage, send: Send) => void
let registry: WebSocketServer
let feed: Feed | undefined
let connections = 0
const epoch = newHandle(systemRandom, 'epo')
const positionAt = (seq: number, hash = 'h'): FeedPosition => ({ position: positionOf(epoch, seq), hash: hash.repeat(43) })
const snapshotAt = (asOf: FeedPosition): ServerMessage => ({ type: 'snapshot', part: 0, parts: 1, asOf, time: 1, ended: [] })

beforeEach(async () => {
  connections = 0
  registry = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: ([first]) => first ?? false })
  registry.on('connection', (ws: WebSocket) => {
    connections++
    const send: Send = (message) => ws.send(JSON.stringify(message))
    ws.on('message', (data) => react(JSON.parse(String(data)), send))
    send({ type: 'hello', version: 1, registry: 'r', head: positionAt(5), expiresAt: 1 })
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
  (position: FeedPosition) =>
  (message: ClientMessage, send: Send): void => {
    if (message.type === 'subscribe') send(snapshotAt(position))
    if (message.type === 'sync') send({ type: 'synced', n: message.n, head: position })
  }

test('a head proves freshness only at the applied position', async () => {
  react = honest(positionAt(5))
  const feed = await open()
  await feed.sync()
  const { freshAt } = feed
  for (const head of [
    positionAt(4),
    positionAt(6),
    positionAt(5, 'x'),
    { ...positionAt(5), position: positionOf(newHandle(systemRandom, 'epo'), 5) },
  ]) {
    react = (message, send) => message.type === 'sync' && send({ type: 'synced', n: message.n, head })
    await expect(feed.sync(500)).rejects.toThrow()
    react = honest(positionAt(5))
    await expect.poll(() => feed.sync(200).then(() => 'fresh', String)).toBe('fresh')
  }
  expect(feed.freshAt).toBeGreaterThan(freshAt ?? 0)
  expect(feed.position).toEqual(positionAt(5))
})

test('messages of a connection that was dropped are ignored', async () => {
  react = honest(positionAt(5))
  const feed = await open()
  await feed.sync()
  const { freshAt } = feed
  // An earlier position, which drops the connection, and then a proof of freshness for every challenge that may follow.
  react = (_, send) => {
    send(snapshotAt(positionAt(3)))
    for (let n = 0; n < 20; n++) send({ type: 'synced', n, head: positionAt(5) })
  }
  const before = connections
  for (let i = 0; i < 5; i++) await expect(feed.sync(100)).rejects.toThrow()
  await expect.poll(() => connections).toBeGreaterThan(before + 1)
  expect([feed.seq, feed.freshAt]).toEqual([5, freshAt])
})

test('unknown message types and members of a newer registry are ignored', async () => {
  const ended = [{ handle: newHandle(systemRandom, 'tok'), weather: 'fine' }, { handle: `zone:${'z'.repeat(22)}` }]
  const odd = (message: object): ServerMessage => ({ ...message, weather: 'fine' }) as unknown as ServerMessage
  react = (message, send) => {
    send(odd({ type: 'weather', is: 'fine' }))
    if (message.type === 'subscribe') send(odd({ ...snapshotAt(positionAt(5)), ended }))
    if (message.type === 'sync') send(odd({ type: 'synced', n: message.n, head: odd(positionAt(5)) }))
  }
  const feed = await open()
  await feed.sync()
  expect([connections, feed.position, feed.ended.size]).toEqual([1, positionAt(5), 2])
  // A message of a known type must match its schema.
  react = (_, send) => send(odd({ type: 'synced' }))
  await expect(feed.sync(200)).rejects.toThrow()
  await expect.poll(() => connections).toBeGreaterThan(1)
})

test('a snapshot is applied only if its parts arrive in order', async () => {
  const handles = Array.from({ length: 3 }, () => newHandle(systemRandom, 'tok'))
  const part = (n: number): ServerMessage => ({
    type: 'snapshot',
    part: n,
    parts: 3,
    asOf: positionAt(5),
    time: 1,
    ended: [{ handle: handles[n] ?? newHandle(systemRandom, 'tok') }],
  })
  const orders = [
    [0, 2],
    [1, 2],
    [0, 1, 1, 2],
    [0, 1, 0, 1, 2],
  ]
  react = (message, send) => {
    if (message.type !== 'subscribe') return
    for (const n of orders.shift() ?? []) send(part(n))
  }
  const opened = await open()
  expect([connections, opened.ended.size]).toEqual([4, 3])
  expect(handles.every((handle) => opened.ended.has(handle))).toBe(true)
})

test.each(['onRevoked', 'save'])('a failure of %s is reported, and it is called again on the next connection', async (which) => {
  const full = snapshotAt(positionAt(5))
  const ended = [{ handle: newHandle(systemRandom, 'tok') }]
  react = (message, send) => message.type === 'subscribe' && send({ ...full, ...(full.type === 'snapshot' && { ended }) })
  const errors: unknown[] = []
  let left = 2
  const failing = async () => {
    if (left-- > 0) throw new Error('disk full')
  }
  await open({
    onError: (error) => errors.push(error),
    ...(which === 'onRevoked' ? { onRevoked: failing } : { store: { load: async () => undefined, save: failing } }),
  })
  await expect.poll(() => left).toBeLessThan(0)
  expect(errors.map(String)).toEqual(['Error: disk full', 'Error: disk full'])
})

test('a failing reconnection is reported, and the feed keeps trying', async () => {
  react = honest(positionAt(5))
  const errors: unknown[] = []
  let isDown = false
  const ticket = async () => {
    if (isDown) throw new Error('unreachable')
    return 't'
  }
  await open({ ticket, onError: (error) => errors.push(error) })
  isDown = true
  for (const ws of registry.clients) ws.terminate()
  await expect.poll(() => errors.map(String)).toContain('Error: unreachable')
  isDown = false
  await expect.poll(() => feed?.sync(200).then(() => 'fresh', String)).toBe('fresh')
})

describe('a connection that has died without a sign', () => {
  const openThroughProxy = async (proxy: SwallowingProxy, options: Partial<FeedDeps> = {}) => {
    react = honest(positionAt(5))
    const errors: unknown[] = []
    const feed = await open({ url: async () => `ws://127.0.0.1:${proxy.port}`, onError: (error) => errors.push(error), ...options })
    return { feed, errors }
  }
  const newProxy = () => swallowingProxy((registry.address() as { port: number }).port)

  test('a challenge without an answer drops it, is reported once, and the feed connects again', async () => {
    await using proxy = await newProxy()
    const { feed, errors } = await openThroughProxy(proxy)
    await feed.sync()
    proxy.swallow()
    await expect(feed.sync(100)).rejects.toThrow('100 ms')
    await expect(feed.sync(100)).rejects.toThrow('100 ms')
    await expect.poll(() => connections).toBe(2)
    await expect.poll(() => feed.sync(500).then(() => 'fresh', String)).toBe('fresh')
    expect(errors.map(String)).toEqual([expect.stringContaining('does not respond')])
    proxy.swallow()
    await expect(feed.sync(100)).rejects.toThrow()
    await expect.poll(() => errors.length).toBe(2)
  })

  test('without calls it is found by a challenge after at most 30 s', async () => {
    await using proxy = await newProxy()
    const clock = setClock()
    const { errors } = await openThroughProxy(proxy, { clock })
    proxy.swallow()
    for (let seconds = 0; seconds < 30; seconds++) {
      clock.advance(1)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(errors.map(String)).toEqual([expect.stringContaining('does not respond')])
    await expect.poll(() => connections).toBe(2)
  })

  test('a live connection without calls is kept, even while a handler of its owner is slow', async () => {
    const clock = setClock()
    const errors: unknown[] = []
    let finish = () => {}
    react = (message, send) => {
      if (message.type === 'subscribe')
        send({ ...snapshotAt(positionAt(5)), ended: [{ handle: newHandle(systemRandom, 'tok') }] } as ServerMessage)
      if (message.type === 'sync') send({ type: 'synced', n: message.n, head: positionAt(5) })
    }
    const onRevoked = () =>
      new Promise<void>((resolve) => {
        finish = resolve
      })
    const opened = open({ clock, onRevoked, onError: (error) => errors.push(error) })
    await expect.poll(() => connections).toBe(1)
    const pass = async (seconds: number) => {
      for (let n = 0; n < seconds; n++) {
        clock.advance(1)
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
    }
    await pass(60)
    finish()
    await opened
    await pass(60)
    expect([connections, errors]).toEqual([1, []])
  })

  test('a connection that does not open is given up after 20 s and reported once', async () => {
    await using silent = await silentServer()
    const clock = setClock()
    const errors: unknown[] = []
    void open({ clock, url: async () => `ws://127.0.0.1:${silent.port}`, onError: (error) => errors.push(error) })
    for (let tries = 1; tries < 4; tries++) {
      await expect.poll(() => silent.connections).toBe(tries)
      clock.advance(20)
      await new Promise((resolve) => setImmediate(resolve))
      clock.advance(5)
    }
    expect(errors.map(String)).toEqual([expect.stringContaining('does not respond')])
  })
})

test('after onRevoked failed, the registry sends those endings again, and the position waits for the handler', async () => {
  const handle = newHandle(systemRandom, 'tok')
  let head = 5
  react = (message, send) => {
    if (message.type === 'sync') send({ type: 'synced', n: message.n, head: positionAt(head) })
    if (message.type !== 'subscribe') return
    if (message.from?.position === positionAt(6).position) return
    if (message.from === undefined) return send(snapshotAt(positionAt(5)))
    send({ type: 'events', epoch, prev: 5, last: 6, time: 1, hash: 'h'.repeat(43), ended: [{ handle }] })
  }
  const delivered: unknown[] = []
  let left = 2
  const errors: unknown[] = []
  const feed = await open({
    onError: (error) => errors.push(error),
    onRevoked: async (revoked, position) => {
      if (left-- > 0) throw new Error('the handler failed')
      delivered.push([revoked, position])
    },
  })
  head = 6
  for (const ws of registry.clients) ws.terminate()
  await expect.poll(() => errors.length).toBe(1)
  expect([feed.position, feed.ended.has(handle)]).toEqual([positionAt(5), true])
  await expect.poll(() => delivered).toEqual([[[{ handle }], positionAt(6).position]])
  expect(feed.position).toEqual(positionAt(6))
  expect(errors.map(String)).toEqual(['Error: the handler failed', 'Error: the handler failed'])
  await feed.sync()
})
