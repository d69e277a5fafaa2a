import { expect, vi } from 'vitest'
import type { Registry } from '../../registry.js'

/** Moves the clock until the registry has counted the uses that `countOf` returns, which takes 60 to 90 s. */
export const counted = (registry: Registry, countOf: () => Promise<unknown>, expected: unknown): Promise<void> =>
  vi.waitFor(
    async () => {
      registry.clock.advance(6)
      expect(await countOf()).toEqual(expected)
    },
    { timeout: 15_000, interval: 20 },
  )
