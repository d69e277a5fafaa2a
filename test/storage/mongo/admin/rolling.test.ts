// Instances come and go under traffic, and a deployment is taken to the next version, over the server that the run shares.
import { expect, test } from 'vitest'
import { findMongod } from '../../find-mongod.mjs'
import { startMongod } from '../../open-mongo.js'

interface Proved {
  readonly faults: readonly string[]
  readonly figures: Readonly<Record<string, number>>
}
type Part = (options: object) => Promise<Proved>

const hasMongod = findMongod() !== undefined

async function prove(part: 'runRestarts' | 'runUpgrade', options: object = {}): Promise<Proved> {
  const parts: Readonly<Record<string, Part>> = await import(`../prove/${'rolling'}.mjs`)
  await using mongod = await startMongod()
  const store = mongod.url()
  try {
    const run = parts[part]
    if (run === undefined) throw new Error(`nothing is called ${part}`)
    return await run({ store, ...options })
  } finally {
    await mongod.drop(store)
  }
}

/** Tried twice: all of it runs by the machine's clock, and a busy one has no time. */
const OPTIONS = { retry: 1, timeout: 240_000 }

test.skipIf(!hasMongod)(
  'two instances are told to go, and killed, in turn: no request fails beyond one retry, nothing is missed',
  OPTIONS,
  async () => {
    const { faults, figures } = await prove('runRestarts', { instances: 2 })
    expect(faults).toEqual([])
    expect(figures).toMatchObject({ SIGTERM: 2, SIGKILL: 2 })
    // Not for want of anything that happened
    for (const name of ['issued', 'ended', 'active', 'inactive', 'served', 'refused', 'events', 'syncs'])
      expect([name, figures[name]]).not.toEqual([name, 0])
  },
)

test.skipIf(!hasMongod)('versions N and N+1 serve side by side, and N is taken away', OPTIONS, async () => {
  const { faults, figures } = await prove('runUpgrade')
  expect(faults).toEqual([])
  for (const name of ['told apart', 'issued', 'ended', 'active', 'inactive', 'served', 'refused', 'events', 'syncs'])
    expect([name, figures[name]]).not.toEqual([name, 0])
})
