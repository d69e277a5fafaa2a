import { describe, expect, test } from 'vitest'
import { type FeedEffect, FeedState } from '../../src/client/feed-state.js'
import { systemRandom } from '../../src/lib/random.js'
import { type Handle, newHandle } from '../../src/protocol/handles.js'
import { positionOf } from '../../src/protocol/log/entry.js'
import type { FeedPosition, ServerMessage } from '../../src/protocol/log/feed.js'
import { setClock } from '../set-clock.js'

const epoch = newHandle(systemRandom, 'epo')
const tokens = Array.from({ length: 5 }, () => newHandle(systemRandom, 'tok')) as [Handle, Handle, Handle, Handle, Handle]
const positionAt = (seq: number, { hash = 'h', ofEpoch = epoch } = {}): FeedPosition => ({
  position: positionOf(ofEpoch, seq),
  hash: hash.repeat(43),
})
const endings = (handles: readonly Handle[]) => handles.map((handle) => ({ handle }))
const hello: ServerMessage = { type: 'hello', version: 1, registry: 'r', head: positionAt(5), expiresAt: 1 }
const snapshot = (asOf: FeedPosition, handles: readonly Handle[] = [], { part = 0, parts = 1 } = {}): ServerMessage => ({
  type: 'snapshot',
  part,
  parts,
  asOf,
  time: 1,
  ended: endings(handles),
})
const events = (prev: number, last: number, handles: readonly Handle[] = [], ofEpoch = epoch): ServerMessage => ({
  type: 'events',
  epoch: ofEpoch,
  prev,
  last,
  time: 1,
  hash: 'h'.repeat(43),
  ended: endings(handles),
})
const synced = (n: number, head = positionAt(5)): ServerMessage => ({ type: 'synced', n, head })

const DROP: FeedEffect[] = [{ type: 'drop' }]
const SUBSCRIBE: FeedEffect[] = [{ type: 'send', message: { type: 'subscribe' } }]
const subscribeFrom = (from: FeedPosition): FeedEffect[] => [{ type: 'send', message: { type: 'subscribe', from } }]
const deliver = (position: FeedPosition, handles: readonly Handle[]): FeedEffect[] => [
  { type: 'deliver', revoked: endings(handles), position },
]

/** A feed at position 5 of the epoch, connected and delivered. */
function liveFeed() {
  const clock = setClock()
  const feed = new FeedState(clock)
  feed.connecting()
  feed.receive(hello)
  feed.receive(snapshot(positionAt(5), [tokens[0]]))
  feed.delivered(positionAt(5))
  return { clock, feed }
}

describe('subscription', () => {
  test('a new feed subscribes without a position, and a connected one from the position that it has applied', () => {
    expect(new FeedState(setClock()).receive(hello)).toEqual(SUBSCRIBE)
    const { feed } = liveFeed()
    feed.disconnected()
    feed.connecting()
    expect(feed.receive(hello)).toEqual(subscribeFrom(positionAt(5)))
  })

  test('a feed with a saved position continues from it and knows the saved handles', () => {
    const saved = { position: positionAt(3), snapshot: { position: positionAt(3).position, time: 1, ended: endings([tokens[0]]) } }
    const feed = new FeedState(setClock(), saved)
    expect(feed.receive(hello)).toEqual(subscribeFrom(positionAt(3)))
    expect([feed.ended.has(tokens[0]), feed.ended.seq]).toEqual([true, 3])
  })

  test('snapshot_required and reset are answered by a subscription without a position', () => {
    const { feed } = liveFeed()
    expect(feed.receive({ type: 'snapshot_required' })).toEqual(SUBSCRIBE)
    expect(feed.receive({ type: 'reset', reason: 'unknown_epoch' })).toEqual(SUBSCRIBE)
  })

  test('move and error drop the connection', () => {
    const { feed } = liveFeed()
    expect(feed.receive({ type: 'move' })).toEqual(DROP)
    expect(feed.receive({ type: 'error', reason: 'unavailable', text: '' })).toEqual(DROP)
  })
})

describe('snapshot', () => {
  test('a snapshot is delivered after its last part', () => {
    const feed = new FeedState(setClock())
    expect(feed.receive(snapshot(positionAt(5), [tokens[0]], { part: 0, parts: 2 }))).toEqual([])
    expect(feed.position).toBeUndefined()
    expect(feed.receive(snapshot(positionAt(5), [tokens[1]], { part: 1, parts: 2 }))).toEqual(
      deliver(positionAt(5), [tokens[0], tokens[1]]),
    )
    expect([feed.position, feed.ended.size]).toEqual([undefined, 2])
    feed.delivered(positionAt(5))
    expect(feed.position).toEqual(positionAt(5))
  })

  test('a part out of order drops the connection and applies nothing', () => {
    const feed = new FeedState(setClock())
    feed.receive(snapshot(positionAt(5), [tokens[0]], { part: 0, parts: 3 }))
    expect(feed.receive(snapshot(positionAt(5), [tokens[1]], { part: 2, parts: 3 }))).toEqual(DROP)
    expect(feed.ended.size).toBe(0)
  })

  test('parts of an earlier connection do not complete a snapshot of a new one', () => {
    const feed = new FeedState(setClock())
    feed.receive(snapshot(positionAt(5), [tokens[0]], { part: 0, parts: 2 }))
    feed.disconnected()
    feed.connecting()
    expect(feed.receive(snapshot(positionAt(5), [tokens[1]], { part: 1, parts: 2 }))).toEqual(DROP)
  })

  test('an earlier position of the same epoch drops the connection; another epoch is taken, and every ended handle stays', () => {
    const { feed } = liveFeed()
    expect(feed.receive(snapshot(positionAt(4)))).toEqual(DROP)
    expect(feed.position).toEqual(positionAt(5))
    const restored = positionAt(0, { ofEpoch: newHandle(systemRandom, 'epo') })
    expect(feed.receive(snapshot(restored, [tokens[1]]))).toEqual(deliver(restored, [tokens[1]]))
    feed.delivered(restored)
    expect([feed.position, feed.ended.has(tokens[0]), feed.ended.has(tokens[1])]).toEqual([restored, true, true])
  })
})

describe('events', () => {
  test('events extend the log, together with the handles of the `ended` messages before them', () => {
    const { feed } = liveFeed()
    expect(feed.receive({ type: 'ended', ended: endings([tokens[1]]) })).toEqual([])
    expect(feed.ended.has(tokens[1])).toBe(false)
    expect(feed.receive(events(5, 8, [tokens[2]]))).toEqual(deliver(positionAt(8), [tokens[1], tokens[2]]))
    expect([feed.position, feed.ended.size]).toEqual([positionAt(5), 3])
    feed.delivered(positionAt(8))
    expect(feed.position).toEqual(positionAt(8))
  })

  test('events that were applied before are ignored', () => {
    const { feed } = liveFeed()
    expect(feed.receive(events(3, 5, [tokens[1]]))).toEqual([])
    expect(feed.position).toEqual(positionAt(5))
  })

  test('after a delivery that failed, the next connection subscribes from before it, gets the same endings again and misses none', () => {
    const { feed } = liveFeed()
    feed.receive(events(5, 6, [tokens[1]]))
    feed.disconnected()
    feed.connecting()
    expect(feed.ended.has(tokens[1])).toBe(true)
    expect(feed.receive(hello)).toEqual(subscribeFrom(positionAt(5)))
    expect(feed.receive(events(6, 7, [tokens[2]]))).toEqual(DROP)
    feed.connecting()
    expect(feed.receive(events(5, 6, [tokens[1]]))).toEqual(deliver(positionAt(6), [tokens[1]]))
    feed.delivered(positionAt(6))
    expect(feed.receive(events(6, 8, [tokens[2]]))).toEqual(deliver(positionAt(8), [tokens[2]]))
    feed.delivered(positionAt(8))
    feed.sync()
    expect(feed.receive(synced(0, positionAt(8)))).toEqual([{ type: 'settled', n: 0 }])
  })

  test('after a snapshot whose delivery failed, the next connection gets a snapshot again, and an earlier one is refused', () => {
    const feed = new FeedState(setClock())
    feed.receive(snapshot(positionAt(5), [tokens[0]]))
    feed.disconnected()
    feed.connecting()
    expect(feed.receive(hello)).toEqual(SUBSCRIBE)
    expect(feed.receive(snapshot(positionAt(4)))).toEqual(DROP)
    expect(feed.receive(snapshot(positionAt(6), [tokens[0]]))).toEqual(deliver(positionAt(6), [tokens[0]]))
  })

  test('a feed whose saved set is ahead of its saved position proves freshness once the endings in between were delivered', () => {
    const saved = { position: positionAt(5), snapshot: { position: positionAt(7).position, time: 1, ended: endings([tokens[0]]) } }
    const feed = new FeedState(setClock(), saved)
    expect(feed.receive(events(5, 7, [tokens[0]]))).toEqual(deliver(positionAt(7), [tokens[0]]))
    feed.delivered(positionAt(7))
    feed.sync()
    expect(feed.receive(synced(0, positionAt(7)))).toEqual([{ type: 'settled', n: 0 }])
  })

  test('events after a gap, or of another epoch, drop the connection and apply nothing', () => {
    const { feed } = liveFeed()
    expect(feed.receive(events(6, 7, [tokens[1]]))).toEqual(DROP)
    expect(feed.receive(events(5, 6, [tokens[1]], newHandle(systemRandom, 'epo')))).toEqual(DROP)
    expect([feed.position, feed.ended.size]).toEqual([positionAt(5), 1])
  })

  test('`ended` messages of an earlier connection do not belong to the events of a new one', () => {
    const { feed } = liveFeed()
    feed.receive({ type: 'ended', ended: endings([tokens[1]]) })
    feed.disconnected()
    feed.connecting()
    expect(feed.receive(events(5, 6, [tokens[2]]))).toEqual(deliver(positionAt(6), [tokens[2]]))
  })
})

describe('freshness', () => {
  test('freshness counts from the monotonic time at which the challenge was sent', () => {
    const { clock, feed } = liveFeed()
    clock.advance(10)
    const sentAt = clock.monotonicMs()
    expect(feed.sync()).toEqual({ n: 0, effects: [{ type: 'challenge', n: 0 }] })
    clock.advance(3)
    expect(feed.receive(synced(0))).toEqual([{ type: 'settled', n: 0 }])
    expect(feed.freshAt).toBe(sentAt)
  })

  test('one challenge is in flight; all that ask meanwhile share the next, which is sent when the first is answered', () => {
    const { clock, feed } = liveFeed()
    feed.sync()
    clock.advance(1)
    expect([feed.sync(), feed.sync()]).toEqual([
      { n: 1, effects: [] },
      { n: 1, effects: [] },
    ])
    clock.advance(1)
    expect(feed.receive(synced(0))).toEqual([
      { type: 'settled', n: 0 },
      { type: 'challenge', n: 1 },
    ])
    const sentAt = clock.monotonicMs()
    clock.advance(1)
    expect(feed.receive(synced(1))).toEqual([{ type: 'settled', n: 1 }])
    expect(feed.freshAt).toBe(sentAt)
    expect(feed.sync().n).toBe(2)
  })

  test.each([
    ['an earlier position', positionAt(4)],
    ['a later position', positionAt(6)],
    ['another history', positionAt(5, { hash: 'x' })],
    ['another epoch', positionAt(5, { ofEpoch: newHandle(systemRandom, 'epo') })],
  ])('a head at %s drops the connection and proves nothing', (_, head) => {
    const { feed } = liveFeed()
    feed.sync()
    expect(feed.receive(synced(0, head))).toEqual(DROP)
    expect(feed.freshAt).toBeUndefined()
  })

  test('a response to a challenge that has already failed proves nothing', () => {
    const { feed } = liveFeed()
    feed.sync()
    expect(feed.challengeFailed(0, 'late')).toEqual([{ type: 'settled', n: 0, error: 'late' }])
    expect(feed.receive(synced(0))).toEqual([])
    expect([feed.challengeFailed(0, 'late'), feed.freshAt]).toEqual([[], undefined])
  })

  test('a lost connection fails the challenge in flight', () => {
    const { feed } = liveFeed()
    feed.sync()
    expect(feed.disconnected()).toMatchObject([{ type: 'settled', n: 0, error: expect.stringContaining('lost') }])
    expect(feed.disconnected()).toEqual([])
  })
})

describe('reconnection', () => {
  test('the delay doubles from 100 ms to 5 s, and a random byte shortens it by up to a half', () => {
    const feed = new FeedState(setClock())
    expect(Array.from({ length: 8 }, () => feed.takeBackOffMs(256))).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000])
    expect(feed.takeBackOffMs(0)).toBe(2500)
  })

  test('the delay starts again at 100 ms after a delivery or a proof of freshness, not after a connection alone', () => {
    const { feed } = liveFeed()
    feed.takeBackOffMs(256)
    feed.disconnected()
    feed.connecting()
    feed.receive(hello)
    expect(feed.takeBackOffMs(256)).toBe(200)
    expect(feed.receive(events(5, 6))).toEqual(deliver(positionAt(6), []))
    expect(feed.takeBackOffMs(256)).toBe(400)
    expect(feed.delivered(positionAt(6))).toEqual([{ type: 'live' }])
    expect(feed.delivered(positionAt(6))).toEqual([])
    expect(feed.takeBackOffMs(256)).toBe(100)
    feed.disconnected()
    feed.connecting()
    expect(feed.receive(synced(9, positionAt(6)))).toEqual([{ type: 'live' }])
    expect(feed.takeBackOffMs(256)).toBe(100)
  })
})
