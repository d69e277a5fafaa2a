// Whoever is alone goes at once, with all that it asks for; a crowd is gathered. Where a moment would be waited for, these timers stand still.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { newBatch } from '../../src/storage/mongo/batch.js'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const nextTask = () => new Promise<void>((resolve) => setImmediate(resolve))
async function tasks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTask()
}

test('what one request asks for in one task waits for nobody', async () => {
  const batch = newBatch(async (items: readonly string[]) => items.map((item) => () => `${item} of ${items.length}`))
  expect(await Promise.all([batch('assertion'), batch('proof')])).toEqual(['assertion of 2', 'proof of 2'])
})

test('who comes in another task is another, and both wait for more', async () => {
  let runs = 0
  const batch = newBatch(async (items: readonly string[]) => {
    runs++
    return items.map((item) => () => `${item} of ${items.length}`)
  })
  const first = batch('one')
  await Promise.resolve().then(() => new Promise<void>((resolve) => process.nextTick(resolve)))
  const second = batch('two')
  await tasks(5)
  expect(runs).toBe(0)
  await vi.advanceTimersByTimeAsync(50)
  expect(await Promise.all([first, second])).toEqual(['one of 2', 'two of 2'])
})
