import { expect, test } from 'vitest'
import { gatherTurns, newMoments } from '../../src/lib/batch.js'

/** Says in turn how many wait, the last for ever, and counts how often it was asked. */
function waiting(...counts: readonly number[]) {
  const asked = { times: 0, of: () => counts[Math.min(asked.times++, counts.length - 1)] ?? 0 }
  return asked
}

const gathering = (of: () => number, most: number) => newMoments(most)(of)

test('one that is alone does not wait, unless there was a crowd the last time', async () => {
  const gather = newMoments(10)
  const asked = async (...counts: readonly number[]) => {
    const one = waiting(...counts)
    await gather(one.of)
    return one.times
  }
  const alone = await asked(1)
  expect(await asked(1)).toBe(alone)
  await asked(2, 3, 4, 4, 4, 4)
  expect(await asked(1)).toBeGreaterThan(alone)
  // It stayed alone
  expect(await asked(1)).toBe(alone)
})

test.each([
  ['turns', gatherTurns],
  ['moments', gathering],
])('%s end when enough wait, and after a few where more and more come', async (_, gather) => {
  const enough = waiting(10)
  await gather(enough.of, 10)
  expect(enough.times).toBeLessThan(4)
  const ever = waiting(...Array.from({ length: 200 }, (__, i) => i + 2))
  await gather(ever.of, 1000)
  expect(ever.times).toBeLessThan(30)
})

test('a moment that brings nobody is forgiven, a turn is not', async () => {
  const came = [2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3]
  const [turns, moments] = [waiting(...came), waiting(...came)]
  await gatherTurns(turns.of, 10)
  await gathering(moments.of, 10)
  expect(moments.times).toBeGreaterThan(turns.times)
})
