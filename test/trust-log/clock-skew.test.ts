// Refusals and log messages of an instance whose clock differs from the store's. test/storage/mongo/clock.test.ts has the tests over MongoDB.
import { expect, test } from 'vitest'
import type { Log } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import type { Storage, StoreTime } from '../../src/storage/storage.js'
import { newClockSkewCheck } from '../../src/trust-log/clock-skew.js'
import { freezeLog } from '../../src/trust-log/recovery/freeze.js'
import { restoreLog } from '../../src/trust-log/recovery/restore.js'
import { type SetClock, setClock } from '../set-clock.js'
import { aHandle, end, noRecords, openLogs, write } from './open-logs.js'

/** The same store with a clock of its own, which it reports with every read of the head. */
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

function recordingLog(): { readonly log: Log; readonly lines: unknown[] } {
  const lines: unknown[] = []
  const write = (text: string, fields?: object) => lines.push([text, fields])
  return { lines, log: { debug: write, info: write, warn: write, error: write } }
}

const SKEWED = 'differ by more than 5 s'

test.each([
  ['that equals the clock of the store is accepted', 0, true],
  ['5 s ahead of the store is accepted', 5, true],
  ['6 s ahead of the store is refused', 6, false],
  ['an hour ahead of the store is refused', 3600, false],
  // The clock is truncated to whole seconds, so the real time may be almost one second later
  ['6 s behind the store is accepted', -6, true],
  ['7 s behind the store is refused', -7, false],
  ['a day behind the store is refused', -86_400, false],
])('a clock %s', async (_, seconds, isAccepted) => {
  await using logs = await openLogs()
  const own = setClock()
  const log = await logs.open({ storage: withClock(logs.storage, own, logs.clock), clock: own })
  const handle = aHandle()
  own.step(seconds)
  const before = (await logs.storage.log.head())?.n
  if (isAccepted) {
    await end(log, handle)
    expect(await log.readBarrier()).toMatchObject({ seq: 1 })
    return
  }
  for (const work of [() => end(log, handle), () => write(log), () => log.readBarrier()])
    await expect(work()).rejects.toMatchObject({ reason: 'standing_unknown', message: expect.stringContaining(SKEWED) })
  expect((await logs.storage.log.head())?.n).toBe(before)
  // Once the clock is correct, the same ending succeeds
  own.step(-seconds)
  await end(log, handle)
  expect(log.ended.has(handle)).toBe(true)
})

test('an instance with a skewed clock refuses to decide, but still applies the log', async () => {
  await using logs = await openLogs()
  const own = setClock()
  const log = await logs.open({ storage: withClock(logs.storage, own, logs.clock), clock: own })
  const correct = await logs.open()
  own.step(3600)
  const handle = aHandle()
  await end(correct, handle)
  await expect(log.readBarrier()).rejects.toThrow(SKEWED)
  expect(log.ended.has(handle)).toBe(true)
})

test('an instance with a skewed clock neither creates a log nor starts', async () => {
  await using logs = await openLogs()
  const own = setClock()
  own.step(3600)
  await expect(logs.open({ storage: withClock(logs.storage, own, logs.clock), clock: own, crashes: true })).rejects.toThrow(
    "this instance's clock (2027-01-15T09:00:00.000Z) and the store's (2027-01-15T08:00:00.000Z) differ by more than 5 s",
  )
  expect(await logs.storage.log.head()).toBeUndefined()
})

test('a log is neither frozen nor restored by the skewed clock of an administrator', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  await end(log, aHandle())
  const before = await logs.storage.log.head()
  const own = setClock()
  own.step(-3600)
  const deps = { port: withClock(logs.storage, own, logs.clock).log, clock: own, random: systemRandom, log: recordingLog().log }
  const witness = { name: 'none', emptyText: 'the witness has no head', read: async () => undefined, write: async () => undefined }
  await expect(freezeLog(deps)).rejects.toThrow(SKEWED)
  await expect(restoreLog({ ...deps, witness, mirror: [], ...noRecords })).rejects.toThrow(SKEWED)
  expect(await logs.storage.log.head()).toEqual(before)
})

test('a skew is logged once when it starts and once when it ends, with both clocks', async () => {
  await using logs = await openLogs()
  const own = setClock()
  const recording = recordingLog()
  const log = await logs.open({ storage: withClock(logs.storage, own, logs.clock), clock: own, log: recording.log })
  own.step(60)
  for (let i = 0; i < 3; i++) await expect(log.readBarrier()).rejects.toThrow(SKEWED)
  own.step(-60)
  for (let i = 0; i < 3; i++) await log.readBarrier()
  expect(recording.lines).toEqual([
    [
      'the clocks of this instance and the store differ too much: requests are refused until they agree',
      { 'clock.own': '2027-01-15T08:01:00.000Z', 'clock.store': '2027-01-15T08:00:00.000Z', 'clock.skew_seconds': 60 },
    ],
    ['the clocks of this instance and the store agree again', expect.objectContaining({ 'clock.skew_seconds': 0 })],
  ])
})

test('an append reads the head only if the last read is too old', async () => {
  await using logs = await openLogs()
  const own = setClock()
  const storage = withClock(logs.storage, own, own)
  // Without change notifications, which make an instance read the head too
  const log = await logs.open({ storage: { ...storage, log: { ...storage.log, onAppend: () => () => undefined } }, clock: own })
  await log.readBarrier()
  const before = storage.heads()
  for (let i = 0; i < 5; i++) await end(log, aHandle())
  expect(storage.heads()).toBe(before)
})

test('the time of the store counts for 2 s after it was read', async () => {
  await using logs = await openLogs()
  const idle = setClock()
  const store = withClock(logs.storage, idle, idle)
  const check = newClockSkewCheck({ port: store.log, clock: idle, log: recordingLog().log })
  await store.log.head()
  idle.advance(2)
  await check()
  expect(store.heads()).toBe(1)
  idle.advance(1)
  await check()
  expect(store.heads()).toBe(2)
})

/** The store's clock is `behind` seconds behind, and its response took `tookMs`. */
test.each([
  ['6 s behind that was read at once is refused', 6, 0, SKEWED],
  ['6 s behind that took 1 s to read is accepted, because it may be 5 s', 6, 1000, undefined],
  ['8 s behind that took 2 s to read is refused', 8, 2000, SKEWED],
  ['that took 3 s to read is refused as unknown', 0, 3000, 'cannot be read in time'],
])('a store time %s', async (_, behind, tookMs, expected) => {
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
  const checked = newClockSkewCheck({ port: { head, storeTime: () => storeTime }, clock, log: recordingLog().log })().catch(String)
  if (expected === undefined) expect(await checked).toBeUndefined()
  else expect(await checked).toContain(expected)
})

test('the skew is not checked over a store that reports no time', async () => {
  await using logs = await openLogs()
  const own = setClock()
  const log = await logs.open({ clock: own, clockMode: 'dev' })
  own.step(86_400)
  await end(log, aHandle())
  expect(await log.readBarrier()).toMatchObject({ seq: 1 })
})
