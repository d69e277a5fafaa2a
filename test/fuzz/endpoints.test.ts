import { expect, test } from 'vitest'

interface Fuzz {
  runFuzz(options: { seconds: number; seed: string; dice: () => number }): Promise<{ counts: Record<string, number>; faults: string[] }>
}
interface Dice {
  newDice(seed: number): () => number
}

test('mutated requests to every endpoint are refused, write nothing and log no bug', async () => {
  const { runFuzz }: Fuzz = await import(`./${'endpoints'}.mjs`)
  const { newDice }: Dice = await import(`../prove/${'tools'}.mjs`)
  const seed = Math.floor(Date.now() / 1000) % 1_000_000
  const { counts, faults } = await runFuzz({ seconds: 6, seed: String(seed), dice: newDice(seed) })
  expect(faults, `seed ${seed}`).toEqual([])
  expect(Object.keys(counts)).toHaveLength(17)
})
