import { expect } from 'vitest'
import { eventually } from '../../eventually.js'
import type { Registry } from '../../registry.js'

/** Moves the clock until the registry has counted the uses that `countOf` returns, which takes 60 to 90 s. */
export const counted = (registry: Registry, countOf: () => Promise<unknown>, expected: unknown): Promise<void> =>
  eventually(async () => {
    registry.clock.advance(6)
    expect(await countOf()).toEqual(expected)
  })
