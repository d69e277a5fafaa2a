import { afterAll, beforeAll, expect, test } from 'vitest'
import { VERSION_SECONDS } from '../../../src/protocol/log/ended-set.js'
import { begins, newCache } from '../../../src/trust-log/records/cache.js'
import type { ServedTrustLog } from '../../../src/trust-log/trust-log.js'
import { aHandle, begin, end, type Logs, openLogs } from '../open-logs.js'

let logs: Logs
let one: ServedTrustLog
let other: ServedTrustLog
beforeAll(async () => {
  logs = await openLogs()
  one = await logs.open()
  other = await logs.open()
})
afterAll(() => logs[Symbol.asyncDispose]())

/** A memory of `one`, and what is read where it has nothing: a number that rises with each reading. */
function counted() {
  const memory = newCache<{ readonly n: number }>(one, (entry) => begins(entry, 'int'))
  let n = 0
  const recall = async (changes: { on?: ReturnType<typeof aHandle>[]; isWhole?: boolean; during?: () => Promise<unknown> } = {}) =>
    (
      await memory.getOrRead('key', async () => {
        n++
        await changes.during?.()
        return { value: { n }, dependsOn: changes.on ?? [], isWhole: changes.isWhole ?? true }
      })
    )?.n
  return { memory, recall }
}

test('what was read is kept until a handle that it names has ended, wherever it was ended', async () => {
  const { recall } = counted()
  const on = [aHandle('agt'), aHandle('ver')]
  expect([await recall({ on }), await recall({ on })]).toEqual([1, 1])
  await end(other, aHandle())
  await one.readBarrier()
  expect(await recall({ on })).toBe(1)
  await end(other, ...on.slice(1))
  await one.readBarrier()
  // It names what has ended: nothing of it is kept any more
  expect([await recall({ on }), await recall({ on })]).toEqual([2, 3])
})

test('what was read is kept until the log tells of a change of its kind', async () => {
  const { recall } = counted()
  expect(await recall()).toBe(1)
  await begin(other, [aHandle('key')])
  await one.readBarrier()
  expect(await recall()).toBe(1)
  await begin(other, [aHandle('int')])
  await one.readBarrier()
  expect(await recall()).toBe(2)
})

test('absence, what waits to be revealed, and what changed while it was read are not kept', async () => {
  const { memory, recall } = counted()
  let readings = 0
  const nothing = async () => {
    readings++
    return undefined
  }
  expect([await memory.getOrRead('none', nothing), await memory.getOrRead('none', nothing), readings]).toEqual([undefined, undefined, 2])
  expect([await recall({ isWhole: false }), await recall()]).toEqual([1, 2])

  const late = counted()
  const during = async () => {
    await begin(other, [aHandle('int')])
    await one.readBarrier()
  }
  expect([await late.recall({ during }), await late.recall(), await late.recall()]).toEqual([1, 2, 2])
})

test('what is kept is one frozen value for all who ask', async () => {
  const memory = newCache<{ list: string[] }>(one, () => false)
  const read = async () => ({ value: { list: ['a'] }, dependsOn: [], isWhole: true })
  await memory.getOrRead('key', read)
  const kept = await memory.getOrRead('key', read)
  expect(() => kept?.list.push('b')).toThrow(TypeError)
})

test('nothing is kept for as long as an ended version is remembered, whichever way the clock is set', async () => {
  const { recall } = counted()
  const on = [aHandle('ver')]
  expect(await recall({ on })).toBe(1)
  logs.clock.advance(VERSION_SECONDS / 2 - 1)
  expect(await recall({ on })).toBe(1)
  await end(other, ...on)
  await one.readBarrier()
  logs.clock.advance(VERSION_SECONDS + 60)
  await end(other, aHandle())
  await one.readBarrier()
  // The ending is forgotten
  expect(one.ended.has(on[0] ?? aHandle())).toBe(false)
  expect(await recall({ on })).toBe(2)
})

test('an entry of a type that only a newer build knows may change anything', async () => {
  const { recall } = counted()
  expect([await recall(), await recall()]).toEqual([1, 1])
  await other.end({ type: 'zone.closed' as 'token.ended', ends: [{ handle: aHandle() }], intent: [] })
  await one.readBarrier()
  expect(await recall()).toBe(2)
})
