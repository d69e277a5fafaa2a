import { afterEach, beforeEach, expect, type MockInstance, test, vi } from 'vitest'
import { newBatch } from '../../../src/storage/mongo/session/batch.js'

let timers: MockInstance<typeof setTimeout>
beforeEach(() => {
  timers = vi.spyOn(globalThis, 'setTimeout')
})
afterEach(() => {
  timers.mockRestore()
})
/** True if the batch window waited a millisecond for more callers (lib/batch.ts). */
const hasWaited = () => timers.mock.calls.some(([, ms]) => ms === 1)
const batchOf = () => newBatch(async (items: readonly string[]) => items.map((item) => () => `${item} of ${items.length}`))

test('items of one task are sent at once, as one batch', async () => {
  const batch = batchOf()
  expect(await Promise.all([batch('assertion'), batch('proof')])).toEqual(['assertion of 2', 'proof of 2'])
  expect(hasWaited()).toBe(false)
})

test('items of two tasks share a batch, which waits for more items', async () => {
  const batch = batchOf()
  const first = batch('one')
  await Promise.resolve().then(() => new Promise<void>((resolve) => process.nextTick(resolve)))
  expect(await Promise.all([first, batch('two')])).toEqual(['one of 2', 'two of 2'])
  expect(hasWaited()).toBe(true)
})
