import { vi } from 'vitest'

/** Repeats work until it throws no more, and returns its result. The limit only ends a test that hangs, as those in vitest.config.ts do. */
export const eventually = <T>(work: () => T | Promise<T>, interval = 20): Promise<T> => vi.waitFor(work, { timeout: 60_000, interval })
