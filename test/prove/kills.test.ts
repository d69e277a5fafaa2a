import { expect, test } from 'vitest'

interface Kills {
  runKills(options: { rounds: number; seed: number }): Promise<{ acknowledged: number; gaps: number; faults: string[] }>
}

test('after three kills under load no acknowledged write is missing, no id is accepted twice, and the feed has no gap', async () => {
  const { runKills }: Kills = await import(`./${'kills'}.mjs`)
  const { acknowledged, gaps, faults } = await runKills({ rounds: 3, seed: 7 })
  expect(faults).toEqual([])
  expect(gaps).toBe(0)
  expect(acknowledged).toBeGreaterThan(15)
})
