import { afterAll, beforeAll, expect, test } from 'vitest'
import { VERSION_HORIZON_SECONDS } from '../../src/protocol/log/ended-set.js'
import { newCache } from '../../src/trust-log/cache.js'
import type { ServedTrustLog } from '../../src/trust-log/trust-log.js'
import { aHandle, end, type Logs, openLogs, write } from './open-logs.js'

let logs: Logs
let log: ServedTrustLog
let other: ServedTrustLog
beforeAll(async () => {
  logs = await openLogs()
  log = await logs.open()
  other = await logs.open()
})
afterAll(() => logs[Symbol.asyncDispose]())

/** A cache over `log`. `getOrRead` returns how often the value was read. */
function countingCache() {
  const cache = newCache<{ readonly n: number }>(log, ({ type }) => type === 'introduction.granted')
  let n = 0
  const getOrRead = async (changes: { on?: ReturnType<typeof aHandle>[]; during?: () => Promise<unknown> } = {}) =>
    (
      await cache.getOrRead('key', async () => {
        n++
        await changes.during?.()
        return { value: { n }, dependsOn: changes.on ?? [] }
      })
    )?.n
  return { cache, getOrRead }
}

test('a value is cached until one of its handles ends, whichever instance ends it', async () => {
  const { getOrRead } = countingCache()
  const on = [aHandle('agt'), aHandle('ver')]
  expect([await getOrRead({ on }), await getOrRead({ on })]).toEqual([1, 1])
  await end(other, aHandle())
  await log.readBarrier()
  expect(await getOrRead({ on })).toBe(1)
  await end(other, ...on.slice(1))
  await log.readBarrier()
  // A value that names an ended handle is not cached
  expect([await getOrRead({ on }), await getOrRead({ on })]).toEqual([2, 3])
})

test('a value is cached until an entry of the log changes its kind', async () => {
  const { getOrRead } = countingCache()
  expect(await getOrRead()).toBe(1)
  await write(other, { type: 'key.registered' })
  await log.readBarrier()
  expect(await getOrRead()).toBe(1)
  await write(other)
  await log.readBarrier()
  expect(await getOrRead()).toBe(2)
})

test('absent values and values that changed during the read are not cached', async () => {
  const { cache } = countingCache()
  let readings = 0
  const nothing = async () => {
    readings++
    return undefined
  }
  expect([await cache.getOrRead('none', nothing), await cache.getOrRead('none', nothing), readings]).toEqual([undefined, undefined, 2])

  const late = countingCache()
  const during = async () => {
    await write(other)
    await log.readBarrier()
  }
  expect([await late.getOrRead({ during }), await late.getOrRead(), await late.getOrRead()]).toEqual([1, 2, 2])
})

test('all callers get the same frozen value', async () => {
  const cache = newCache<{ list: string[] }>(log, () => false)
  const read = async () => ({ value: { list: ['a'] }, dependsOn: [] })
  await cache.getOrRead('key', read)
  const cached = await cache.getOrRead('key', read)
  expect(() => cached?.list.push('b')).toThrow(TypeError)
})

test('a value is cached for half the time for which the ended set keeps a version, even if the clock is set back', async () => {
  const { getOrRead } = countingCache()
  const on = [aHandle('ver')]
  expect(await getOrRead({ on })).toBe(1)
  logs.clock.advance(VERSION_HORIZON_SECONDS / 2 - 1)
  expect(await getOrRead({ on })).toBe(1)
  await end(other, ...on)
  await log.readBarrier()
  logs.clock.advance(VERSION_HORIZON_SECONDS + 60)
  await end(other, aHandle())
  await log.readBarrier()
  // The ended set has dropped the version
  expect(log.ended.has(on[0] ?? aHandle())).toBe(false)
  expect(await getOrRead({ on })).toBe(2)
})

test('an entry of an unknown type empties the cache', async () => {
  const { getOrRead } = countingCache()
  expect([await getOrRead(), await getOrRead()]).toEqual([1, 1])
  await other.end({ type: 'zone.closed' as 'token.revoked', ends: [{ handle: aHandle() }], operations: [] })
  await log.readBarrier()
  expect(await getOrRead()).toBe(2)
})
