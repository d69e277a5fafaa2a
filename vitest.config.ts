import { existsSync, statfsSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { findMongod, HOW } from './test/storage/find-mongod.mjs'

/** Tests of the MongoDB store. */
const MONGODB = ['test/storage/mongo/**/*.test.ts', 'test/attacks/mongodb.test.ts', 'test/prove/mongodb.test.ts']
/** Tests that replace a module of the program, so they do not share modules with others. */
const ALONE = ['test/stories/standing-omissions.test.ts']
/** Tests that run over the embedded store and again over MongoDB, with two servers that share only the database. */
const OVER_BOTH = [
  'test/attacks/canaries.test.ts',
  'test/identity/limits/instances.test.ts',
  'test/delegation/budgets/races.test.ts',
  'test/delegation/approvals/races.test.ts',
  'test/delegation/introductions/{introductions,watch,decide/quota-slots}.test.ts',
  'test/revocations/{challenges,feed,messages,revocation-signals}.test.ts',
  'test/stories/{clock,main-job,person-races,races}.test.ts',
]

const hasMongod = findMongod() !== undefined
if (!hasMongod && process.env.CREDENCE_TEST_MONGODB === 'required')
  throw new Error(`CREDENCE_TEST_MONGODB=required, but no MongoDB server was found. ${HOW}`)
if (!hasMongod) console.warn(`\n*** NOT TESTED OVER MONGODB: the storage contract, and ${OVER_BOTH.join(', ')}. ${HOW} ***\n`)

/** Tests write to memory if there is enough of it, which saves most of the time for fsync. */
const MEMORY = '/dev/shm'
const ENOUGH_BYTES = 6 * 2 ** 30
if (existsSync(MEMORY)) {
  const { bavail, bsize } = statfsSync(MEMORY)
  if (bavail * bsize > ENOUGH_BYTES) process.env.TMPDIR ??= MEMORY
}

/** Long files start first, so that no worker runs one alone at the end. */
const LONG = [
  /\/prove\/mongodb/,
  /\/prove\//,
  /\/mongo\/(admin\/(rolling|dump|restore)|unreachable)/,
  /\/revocations\/feed/,
  /\/stories\//,
  /\/bench\//,
]
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification) => (LONG.findIndex((one) => one.test(moduleId)) + LONG.length + 1) % (LONG.length + 1)
    return (await super.sort(files)).sort((a, b) => rankOf(a) - rankOf(b))
  }
}

export default defineConfig({
  resolve: {
    alias: {
      '#crypto': new URL('./src/lib/crypto/crypto-node.ts', import.meta.url).pathname,
      '#websocket': new URL('./src/lib/io/websocket-node.ts', import.meta.url).pathname,
    },
  },
  test: {
    testTimeout: 20_000,
    hookTimeout: 20_000,
    pool: 'forks',
    // Files share the modules of the program, because no module keeps state between servers
    isolate: false,
    // A larger young heap, as docs/OPERATIONS.md recommends for the registry: fewer garbage collections
    execArgv: ['--max-semi-space-size=32'],
    maxWorkers: 3,
    sequence: { sequencer: LongFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'embedded',
          include: ['test/**/*.test.ts'],
          exclude: ['node_modules/**', ...MONGODB, ...ALONE],
        },
      },
      { extends: true, test: { name: 'alone', include: ALONE, isolate: true } },
      {
        extends: true,
        test: {
          name: 'mongodb',
          include: hasMongod ? [...MONGODB, ...OVER_BOTH] : MONGODB,
          globalSetup: 'test/one-mongod.ts',
          env: { CREDENCE_TEST_STORE: 'mongodb' },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
