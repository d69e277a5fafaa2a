// For each kind of handle: a token from which it is left out must be found out by the worlds of standing-world.ts. The omission is planted in
// `distinct`, through which everything that is issued passes.
import { expect, test, vi } from 'vitest'
import { startRegistry } from '../registry.js'
import { explore } from './standing-world.js'

const planted = vi.hoisted(() => ({ kind: '' }))
vi.mock('../../src/protocol/handles.js', async (original) => {
  const real = await original<typeof import('../../src/protocol/handles.js')>()
  return {
    ...real,
    distinct: (handles: readonly string[]) => real.distinct(handles.filter((handle) => !handle.startsWith(`${planted.kind}:`)) as never),
  }
})

test.each(['org', 'agt', 'key', 'ver', 'int', 'tsk', 'tok'])('leaving out `%s:` is caught', async (kind) => {
  planted.kind = kind
  const found: string[] = []
  for (let seed = 11; seed <= 18 && found.length === 0; seed++) {
    await using registry = await startRegistry()
    found.push(...(await explore(registry, seed, { steps: 120, crashes: false })).violations)
  }
  planted.kind = ''
  expect(found.join()).toContain('is active, though the ending of')
}, 90_000)
