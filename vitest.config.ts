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

const HANGING_MS = 120_000

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
/** A worker ends if the next file is of another project, and the next worker loads the whole program again: so one project follows the other. */
const PROJECTS = ['alone', 'mongodb', 'embedded']
class ByProjectLongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const lengthOf = ({ moduleId }: TestSpecification) =>
      (LONG.findIndex((one) => one.test(moduleId)) + LONG.length + 1) % (LONG.length + 1)
    const rankOf = (file: TestSpecification) => PROJECTS.indexOf(file.project.name) * (LONG.length + 1) + lengthOf(file)
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
    // A limit only ends a test that hangs. It says nothing about speed, so it is the same everywhere and generous to a busy machine
    testTimeout: HANGING_MS,
    hookTimeout: HANGING_MS,
    expect: { poll: { timeout: HANGING_MS / 2 } },
    pool: 'forks',
    // Files share the modules of the program, because no module keeps state between servers
    isolate: false,
    // A larger young heap, as docs/OPERATIONS.md recommends for the registry: fewer garbage collections
    execArgv: ['--max-semi-space-size=32'],
    maxWorkers: 3,
    sequence: { sequencer: ByProjectLongFirst },
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
        },
      },
    ],
  },
})
