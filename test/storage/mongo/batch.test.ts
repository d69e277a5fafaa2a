// Whoever is alone goes at once, with all that it asks for; a crowd is gathered: a moment is waited for.
import { afterEach, beforeEach, expect, type MockInstance, test, vi } from 'vitest'
import { newBatch } from '../../../src/storage/mongo/session/batch.js'

let moments: MockInstance<typeof setTimeout>
beforeEach(() => {
  moments = vi.spyOn(globalThis, 'setTimeout')
})
afterEach(() => {
  moments.mockRestore()
})
/** A millisecond, for more to come (lib/gather). */
const waited = () => moments.mock.calls.some(([, ms]) => ms === 1)
const batchOf = () => newBatch(async (items: readonly string[]) => items.map((item) => () => `${item} of ${items.length}`))

test('what one request asks for in one task waits for nobody', async () => {
  const batch = batchOf()
  expect(await Promise.all([batch('assertion'), batch('proof')])).toEqual(['assertion of 2', 'proof of 2'])
  expect(waited()).toBe(false)
})

test('who comes in another task is another, and both wait for more', async () => {
  const batch = batchOf()
  const first = batch('one')
  await Promise.resolve().then(() => new Promise<void>((resolve) => process.nextTick(resolve)))
  expect(await Promise.all([first, batch('two')])).toEqual(['one of 2', 'two of 2'])
  expect(waited()).toBe(true)
})
