// Restarts instances under traffic and upgrades a deployment to the next version, over the shared server of the test run.
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
  const parts: Readonly<Record<string, Part>> = await import(`../../../prove/${'rolling'}.mjs`)
  await using mongod = await startMongod()
  const store = mongod.url()
  try {
    const run = parts[part]
    if (run === undefined) throw new Error(`test/prove/rolling.mjs has no ${part}`)
    return await run({ store, ...options })
  } finally {
    await mongod.drop(store)
  }
}

/** Retried once: it uses the machine's clock, and a busy machine may be too slow. */
const OPTIONS = { retry: 1, timeout: 240_000 }

test.skipIf(!hasMongod)(
  'while two instances are terminated and killed in turn, no request needs more than one retry and no event is missed',
  OPTIONS,
  async () => {
    const { faults, figures } = await prove('runRestarts', { instances: 2 })
    expect(faults).toEqual([])
    expect(figures).toMatchObject({ SIGTERM: 2, SIGKILL: 2 })
    // The run covered every kind of event
    for (const name of ['issued', 'revoked', 'active', 'inactive', 'served', 'refused', 'events', 'syncs'])
      expect([name, figures[name]]).not.toEqual([name, 0])
  },
)

test.skipIf(!hasMongod)('versions N and N+1 serve side by side until N is removed', OPTIONS, async () => {
  const { faults, figures } = await prove('runUpgrade')
  expect(faults).toEqual([])
  for (const name of ['newer entries', 'issued', 'revoked', 'active', 'inactive', 'served', 'refused', 'events', 'syncs'])
    expect([name, figures[name]]).not.toEqual([name, 0])
})
