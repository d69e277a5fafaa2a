import { expect, test } from 'vitest'

interface Faults {
  runFaults(options: { seconds: number; only: string[] }): Promise<{ name: string; faults: string[]; said: string }[]>
}

test.each(['full disk', 'read-only disk', 'damaged file', 'overload'])('%s', async (name) => {
  const { runFaults }: Faults = await import(`./${'faults'}.mjs`)
  const [{ faults, said } = { faults: ['it did not run'], said: '' }] = await runFaults({ seconds: 2, only: [name] })
  if (said.startsWith('not run')) console.warn(`\n*** ${name}: ${said.toUpperCase()} ***\n`)
  expect(faults).toEqual([])
}, 60_000)
