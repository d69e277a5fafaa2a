import { expect, test } from 'vitest'

interface Soak {
  runSoak(options: { seconds: number }): Promise<{ faults: string[]; figures: Readonly<Record<string, unknown>> }>
}

test('sockets and subscriptions that were opened and closed leave no memory and no handles behind', async () => {
  const { runSoak }: Soak = await import(`./${'soak'}.mjs`)
  const { faults, figures } = await runSoak({ seconds: 10 })
  expect(faults).toEqual([])
  expect(figures.cycles).toBeGreaterThan(0)
}, 90_000)
