import { expect, test } from 'vitest'
import { startRegistry } from '../registry.js'
import { explore } from './standing-world.js'

test.each([
  1, 2,
])('no token is active after an acknowledged revocation, and none is inactive before a revocation was requested (world %i)', async (seed) => {
  await using registry = await startRegistry()
  const { violations, counts } = await explore(registry, seed, { steps: 150, crashes: seed % 2 === 0 })
  expect(violations).toEqual([])
  expect(counts.tokens).toBeGreaterThan(10)
  expect(counts.active).toBeGreaterThan(10)
  expect(counts.inactive).toBeGreaterThan(10)
})
