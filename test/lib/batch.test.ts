import { describe, expect, test } from 'vitest'
import { awaitTurnWindow, newTimerWindow } from '../../src/lib/batch.js'

/** A queue length that follows `counts`, stays at the last one, and counts how often it was polled. */
function queueOf(...counts: readonly number[]) {
  const queue = { polls: 0, length: () => counts[Math.min(queue.polls++, counts.length - 1)] ?? 0 }
  return queue
}

const awaitTimerWindow = (countQueued: () => number, maxBatch: number) => newTimerWindow(maxBatch)(countQueued)

test('a lone caller does not wait for a timer window, unless the previous batch had several callers', async () => {
  const awaitWindow = newTimerWindow(10)
  const pollsOf = async (...counts: readonly number[]) => {
    const queue = queueOf(...counts)
    await awaitWindow(queue.length)
    return queue.polls
  }
  const withoutWindow = await pollsOf(1)
  expect(await pollsOf(1)).toBe(withoutWindow)
  await pollsOf(2, 3, 4, 4, 4, 4)
  expect(await pollsOf(1)).toBeGreaterThan(withoutWindow)
  expect(await pollsOf(1)).toBe(withoutWindow)
})

describe.each([
  ['turn window', awaitTurnWindow],
  ['timer window', awaitTimerWindow],
])('%s', (_, awaitWindow) => {
  test('the window ends when the batch is full', async () => {
    const queue = queueOf(10)
    await awaitWindow(queue.length, 10)
    expect(queue.polls).toBeLessThan(4)
  })

  test('the window ends after a few polls although callers keep joining', async () => {
    const queue = queueOf(...Array.from({ length: 200 }, (__, i) => i + 2))
    await awaitWindow(queue.length, 1000)
    expect(queue.polls).toBeLessThan(30)
  })
})

test('a timer window continues after one poll without a new caller, a turn window does not', async () => {
  const counts = [2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3]
  const [turns, timers] = [queueOf(...counts), queueOf(...counts)]
  await awaitTurnWindow(turns.length, 10)
  await awaitTimerWindow(timers.length, 10)
  expect(timers.polls).toBeGreaterThan(turns.polls)
})
