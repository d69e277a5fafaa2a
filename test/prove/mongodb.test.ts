import { expect, test } from 'vitest'
import { findMongod, HOW } from '../storage/find-mongod.mjs'

interface Proved {
  readonly faults: string[]
  readonly figures: Readonly<Record<string, number>> & { readonly faults: Readonly<Record<string, number>> }
}

/** A deployment of MONGODB_URI must not be killed. */
const found = findMongod()
const isOurs = found !== undefined && found.uri === undefined
/** One round of the six faults. The callers pause, so that they do not overload the machine on which all servers run. */
const ONE_ROUND = { seconds: 0, pauseMs: 60 }

test.skipIf(!isOurs)(
  `a replica set of three with three instances under load survives every fault (${isOurs ? 'seed 5' : HOW})`,
  async () => {
    const { runMongodb }: { runMongodb(options: object): Promise<Proved> } = await import(`./${'mongodb'}.mjs`)
    const { FAULTS }: { FAULTS: object } = await import(`./mongo/${'faults'}.mjs`)
    const { faults, figures } = await runMongodb({ ...ONE_ROUND, seed: 5 })
    expect(faults).toEqual([])
    // The run covered every kind of event
    expect(Object.keys(figures.faults).sort()).toEqual(Object.keys(FAULTS).sort())
    for (const name of ['issued', 'revoked', 'active', 'inactive', 'published', 'races', 'syncs'])
      expect([name, figures[name]]).not.toEqual([name, 0])
  },
  400_000,
)
