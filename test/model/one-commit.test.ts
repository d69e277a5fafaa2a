import { expect, test } from 'vitest'
import { FAULTS, runModel } from './one-commit.mjs'

const seeds = (count: number) => Array.from({ length: count }, (_, i) => i + 1)

test('no promise is broken in 500 random schedules, and each kind of event occurs', () => {
  const runs = seeds(500).map((seed) => runModel(seed))
  expect(runs.flatMap(({ problems }) => problems)).toEqual([])
  for (const name of ['active', 'inactive', 'crashes', 'unknown', 'retries', 'refused'])
    expect([name, runs.some(({ counts }) => (counts[name] ?? 0) > 0)]).toEqual([name, true])
})

test.each(FAULTS)('the fault "%s" is found', (fault) => {
  expect(seeds(500).some((seed) => runModel(seed, fault).problems.length > 0)).toBe(true)
})
