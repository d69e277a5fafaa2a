import { expect, test } from 'vitest'
import { standingByIntrospection } from '../../src/verifier/standing.js'
import { setClock } from '../set-clock.js'

test('a positive introspection result that arrives later than maxStalenessMs after the request is unknown; a negative one counts', async () => {
  const clock = setClock()
  let respond = (_: { active: boolean }) => {}
  const introspect = () =>
    new Promise<{ active: boolean }>((resolve) => {
      respond = resolve
    })
  const standing = standingByIntrospection(introspect, { clock, maxStalenessMs: 1000 })
  for (const [seconds, active, expected] of [
    [1, true, 'stands'],
    [2, true, 'unknown'],
    [2, false, 'ended'],
  ] as const) {
    clock.advance(10)
    const result = standing.check(`token ${seconds} ${active}`, { at: 0, dependsOn: [] })
    clock.advance(seconds)
    respond({ active })
    expect([seconds, active, (await result).state]).toEqual([seconds, active, expected])
  }
})
