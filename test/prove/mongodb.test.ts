import { expect, test } from 'vitest'
import { findMongod, HOW } from '../storage/find-mongod.mjs'

interface Proved {
  readonly faults: string[]
  readonly figures: Readonly<Record<string, number>> & { readonly faults: Readonly<Record<string, number>> }
}

/** A deployment that was named is nobody's to kill. */
const found = findMongod()
const isOurs = found !== undefined && found.uri === undefined
/** Each of the six faults once takes some forty seconds, and as long as it must on a busy machine; a lead of five before them. */
const SECONDS = 60

test.skipIf(!isOurs)(
  `every fault on a replica set of three, under load from three instances (${isOurs ? 'seed 5' : HOW})`,
  async () => {
    const { runMongodb }: { runMongodb(options: object): Promise<Proved> } = await import(`./${'mongodb'}.mjs`)
    const { FAULTS }: { FAULTS: object } = await import(`./mongo/${'faults'}.mjs`)
    const { faults, figures } = await runMongodb({ seconds: SECONDS, seed: 5 })
    expect(faults).toEqual([])
    // Not for want of anything that happened
    expect(Object.keys(figures.faults).sort()).toEqual(Object.keys(FAULTS).sort())
    for (const name of ['issued', 'ended', 'active', 'inactive', 'published', 'races', 'syncs'])
      expect([name, figures[name]]).not.toEqual([name, 0])
  },
  400_000,
)
