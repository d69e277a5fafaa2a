import { expect, test } from 'vitest'

interface Kills {
  runKills(options: { rounds: number; seed: number }): Promise<{ acknowledged: number; gaps: number; faults: string[] }>
}

test('ten times kill -9 under load: nothing acknowledged is missing, nothing is used twice, no subscriber has a gap', async () => {
  const { runKills }: Kills = await import(`./${'kills'}.mjs`)
  const { acknowledged, gaps, faults } = await runKills({ rounds: 10, seed: 7 })
  expect(faults).toEqual([])
  expect(gaps).toBe(0)
  expect(acknowledged).toBeGreaterThan(50)
}, 90_000)
