import { expect, test } from 'vitest'

interface Faults {
  runFaults(options: { seconds: number; only: string[] }): Promise<{ name: string; faults: string[]; summary: string }[]>
}

test.each(['full disk', 'read-only disk', 'damaged file', 'overload'])('a registry survives the fault: %s', async (name) => {
  const { runFaults }: Faults = await import(`./${'faults'}.mjs`)
  const [{ faults, summary } = { faults: ['it did not run'], summary: '' }] = await runFaults({ seconds: 1, only: [name] })
  if (summary.startsWith('not run')) console.warn(`\n*** ${name}: ${summary.toUpperCase()} ***\n`)
  expect(faults).toEqual([])
})
