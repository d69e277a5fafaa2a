import { describe } from 'vitest'

/**
 * A suite for rules in which the store takes no part. Files that run over both stores (`OVER_BOTH` in vitest.config.ts) run such a suite over the
 * embedded store only, because the same test over MongoDB takes ten times as long and shows nothing more.
 */
export const describeOnce: ReturnType<typeof describe.skipIf> = describe.skipIf(process.env.CREDENCE_TEST_STORE === 'mongodb')
