import { expect, test } from 'vitest'
import { standingByIntrospection } from '../../src/verifier/standing.js'
import { setClock } from '../set-clock.js'

test('an answer is of when it was asked for: one that comes too late says nothing', async () => {
  const clock = setClock()
  let answer = (_: { active: boolean }) => {}
  const introspect = () =>
    new Promise<{ active: boolean }>((resolve) => {
      answer = resolve
    })
  const standing = standingByIntrospection(introspect, { clock, maxStalenessMs: 1000 })
  for (const [seconds, active, expected] of [
    [1, true, 'stands'],
    [2, true, 'unknown'],
    [2, false, 'ended'],
  ] as const) {
    clock.advance(10)
    const asked = standing.check(`token ${seconds} ${active}`, { at: 0, dependsOn: [] })
    clock.advance(seconds)
    answer({ active })
    expect([seconds, active, await asked]).toEqual([seconds, active, expected])
  }
})
