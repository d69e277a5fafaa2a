import { expect, test } from 'vitest'

interface Backups {
  runBackups(options: { rounds: number; seed: number }): Promise<{ faults: string[]; figures: Readonly<Record<string, number>> }>
}

test('backups under load, of which the command or the registry is killed, hold everything that was acknowledged before', async () => {
  const { runBackups }: Backups = await import(`./${'backup'}.mjs`)
  const { faults, figures } = await runBackups({ rounds: 3, seed: 7 })
  expect(faults).toEqual([])
  expect(figures.backups).toBeGreaterThanOrEqual(1)
  expect(figures.killed).toBe(2)
  expect(figures.acknowledged).toBeGreaterThan(10)
  expect(figures['requests during a backup']).toBeGreaterThan(0)
})
