// An instance whose clock is far from the store's: what it writes, answers and says. Over MongoDB: test/storage/mongo/clock.test.ts.
import { expect, test } from 'vitest'
import type { Log } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import type { Storage, StoreTime } from '../../src/storage/storage.js'
import { newClockSkewCheck } from '../../src/trust-log/clock-skew.js'
import { restoreLog } from '../../src/trust-log/recovery/restore.js'
import { sealLog } from '../../src/trust-log/recovery/seal.js'
import { type SetClock, setClock } from '../set-clock.js'
import { aHandle, begin, end, noRecords, openLogs } from './open-logs.js'

/** The same store, with a clock of its own that is told with every head. */
function withClock(storage: Storage, own: SetClock, store: SetClock): Storage & { readonly heads: () => number } {
  let heads = 0
  let storeTime: StoreTime | undefined
  const head = async () => {
    heads++
    const found = await storage.log.head()
    const nowMs = own.monotonicMs()
    storeTime = { ms: store.now() * 1000, sentMs: nowMs, receivedMs: nowMs }
    return found
  }
  return { ...storage, heads: () => heads, log: { ...storage.log, head, storeTime: () => storeTime } }
}

function heardLog(): { readonly log: Log; readonly heard: unknown[] } {
  const heard: unknown[] = []
  const hear = (text: string, fields?: object) => heard.push([text, fields])
  return { heard, log: { info: hear, warn: hear, error: hear } }
}

const APART = 'more than 5 s apart'

test.each([
  ['the same', 0, true],
  ['5 s ahead', 5, true],
  ['6 s ahead', 6, false],
  ['an hour ahead', 3600, false],
  // It tells whole seconds: it may be almost one later
  ['6 s behind', -6, true],
  ['7 s behind', -7, false],
  ['a day behind', -86_400, false],
])('beside the store’s, a clock that is %s', async (_, seconds, isNear) => {
  await using logs = await openLogs()
  const own = setClock()
  const log = await logs.open({ storage: withClock(logs.storage, own, logs.clock), clock: own })
  const [handle, other] = [aHandle(), aHandle('int')]
  own.step(seconds)
  const before = (await logs.storage.log.head())?.n
  if (isNear) {
    await end(log, handle)
    expect(await log.readBarrier()).toMatchObject({ at: 1 })
    return
  }
  for (const work of [() => end(log, handle), () => begin(log, [other]), () => log.readBarrier()])
    await expect(work()).rejects.toMatchObject({ reason: 'standing_unknown', message: expect.stringContaining(APART) })
  expect((await logs.storage.log.head())?.n).toBe(before)
  // Set right it goes on, and what was set out to be ended can be
  own.step(-seconds)
  await end(log, handle)
  expect(log.ended.has(handle)).toBe(true)
})

test('one that cannot decide still reads on, so that it is right when its clock is', async () => {
  await using logs = await openLogs()
  const own = setClock()
  const log = await logs.open({ storage: withClock(logs.storage, own, logs.clock), clock: own })
  const right = await logs.open()
  own.step(3600)
  const handle = aHandle()
  await end(right, handle)
  await expect(log.readBarrier()).rejects.toThrow(APART)
  expect(log.ended.has(handle)).toBe(true)
})

test('it begins no log, and does not start', async () => {
  await using logs = await openLogs()
  const own = setClock()
  own.step(3600)
  await expect(logs.open({ storage: withClock(logs.storage, own, logs.clock), clock: own, mortal: true })).rejects.toThrow(
    'this clock (2027-01-15T09:00:00.000Z) and that of the store (2027-01-15T08:00:00.000Z) are more than 5 s apart',
  )
  expect(await logs.storage.log.head()).toBeUndefined()
})

test('it moves no log, and restores none', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  await end(log, aHandle())
  const before = await logs.storage.log.head()
  const own = setClock()
  own.step(-3600)
  const deps = { port: withClock(logs.storage, own, logs.clock).log, clock: own, random: systemRandom, log: heardLog().log }
  const witness = { name: 'none', read: async () => undefined, write: async () => undefined }
  await expect(sealLog({ ...deps, digest: 'of a target' })).rejects.toThrow(APART)
  await expect(restoreLog({ ...deps, witness, mirror: [], ...noRecords })).rejects.toThrow(APART)
  expect(await logs.storage.log.head()).toEqual(before)
})

test('it is said once when it begins and once when it is over, with both clocks', async () => {
  await using logs = await openLogs()
  const own = setClock()
  const { log: heardBy, heard } = heardLog()
  const log = await logs.open({ storage: withClock(logs.storage, own, logs.clock), clock: own, log: heardBy })
  own.step(60)
  for (let i = 0; i < 3; i++) await expect(log.readBarrier()).rejects.toThrow(APART)
  own.step(-60)
  for (let i = 0; i < 3; i++) await log.readBarrier()
  expect(heard).toEqual([
    [
      'this clock and that of the store are too far apart: nothing is decided or written',
      { 'clock.own': '2027-01-15T08:01:00.000Z', 'clock.store': '2027-01-15T08:00:00.000Z', 'clock.apart_seconds': 60 },
    ],
    ['this clock and that of the store agree again', expect.objectContaining({ 'clock.apart_seconds': 0 })],
  ])
})

test('an append asks for the head only where that was too long ago', async () => {
  await using logs = await openLogs()
  const own = setClock()
  const storage = withClock(logs.storage, own, own)
  // Its own bell makes an instance read the head too
  const log = await logs.open({ storage: { ...storage, log: { ...storage.log, onAppend: () => () => undefined } }, clock: own })
  await log.readBarrier()
  const before = storage.heads()
  for (let i = 0; i < 5; i++) await end(log, aHandle())
  expect(storage.heads()).toBe(before)
})

test('what was learnt counts for two seconds', async () => {
  await using logs = await openLogs()
  const idle = setClock()
  const quiet = withClock(logs.storage, idle, idle)
  const check = newClockSkewCheck({ port: quiet.log, clock: idle, log: heardLog().log })
  await quiet.log.head()
  idle.advance(2)
  await check()
  expect(quiet.heads()).toBe(1)
  idle.advance(1)
  await check()
  expect(quiet.heads()).toBe(2)
})

/** The store's clock is `behind` ours, and its answer took that long. */
test.each([
  ['at once', 6, 0, APART],
  ['in 1 s: it may have been said at its beginning', 6, 1000, undefined],
  ['in 2 s, and yet too far', 8, 2000, APART],
  ['in 3 s: too long to say anything', 0, 3000, 'cannot be read in time'],
])('what was answered %s', async (_, behind, tookMs, expected) => {
  const clock = setClock()
  const time = (): StoreTime => {
    const receivedMs = clock.monotonicMs()
    return { ms: (clock.now() - behind) * 1000, sentMs: receivedMs - tookMs, receivedMs }
  }
  let storeTime = time()
  const head = async () => {
    storeTime = time()
    return undefined
  }
  const checked = newClockSkewCheck({ port: { head, storeTime: () => storeTime }, clock, log: heardLog().log })().catch(String)
  if (expected === undefined) expect(await checked).toBeUndefined()
  else expect(await checked).toContain(expected)
})

test('a store without a clock of its own is not asked', async () => {
  await using logs = await openLogs()
  const own = setClock()
  const log = await logs.open({ clock: own })
  own.step(86_400)
  await end(log, aHandle())
  expect(await log.readBarrier()).toMatchObject({ at: 1 })
})
