import { expect, test } from 'vitest'

interface Soak {
  runSoak(options: { seconds: number }): Promise<{ faults: string[]; figures: Readonly<Record<string, unknown>> }>
}

test('closed sockets and subscriptions, and answered requests, leave no memory and no handles behind', async () => {
  const { runSoak }: Soak = await import(`./${'soak'}.mjs`)
  const { faults, figures } = await runSoak({ seconds: 2 })
  expect(faults).toEqual([])
  expect(figures.cycles).toBeGreaterThan(0)
  expect(figures['requests of each kind']).toBeGreaterThan(0)
})
