// Proves that the worlds of standing-world.ts detect a missing dependency: for each kind of handle, tokens are issued without it. The fault is
// planted in `distinct`, which computes the dependencies of every token.
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

/** Each kind with the seed of a world that mostly detects it. */
test.each([
  ['org', 12],
  ['agt', 11],
  ['key', 11],
  ['ver', 11],
  ['int', 11],
  ['tsk', 12],
  ['tok', 14],
] as const)('a token without its `%s:` handle is detected', async (kind, first) => {
  planted.kind = kind
  const found: string[] = []
  for (let seed: number = first; seed < first + 8 && found.length === 0; seed++) {
    await using registry = await startRegistry()
    found.push(...(await explore(registry, seed, { steps: 120, crashes: false })).violations)
  }
  planted.kind = ''
  expect(found.join()).toContain('is active, although the revocation of')
})
