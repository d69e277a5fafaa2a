import { expect, test } from 'vitest'
import { Handle } from '../../src/protocol/handles.js'
import { OpenRequests } from '../../src/verifier/open-requests.js'
import { setClock } from '../set-clock.js'

test('one loop watches all responses, however many have opened and ended', async () => {
  const set = setClock()
  let waits = 0
  const clock = {
    ...set,
    after: (ms: number, signal?: AbortSignal) => {
      waits++
      return set.after(ms, signal)
    },
  }
  const standing = { time: 0, check: async () => ({ state: 'stands' as const, asOfMs: clock.monotonicMs() }) }
  const open = new OpenRequests({ standing, clock, maxStalenessMs: 1000 } as unknown as ConstructorParameters<typeof OpenRequests>[0])
  const dependsOn = [Handle.parse(`tok:${'a'.repeat(22)}`)]
  const token = { token: 'a.b.c', standing: { at: 0, dependsOn }, expiresAt: 4_000_000_000, confirmedAtMs: clock.monotonicMs() }
  for (let i = 0; i < 100; i++) open.watch(token, () => {})()
  open.watch(token, () => {})
  expect([waits, open.size]).toEqual([1, 1])
})
