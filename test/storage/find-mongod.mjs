// Which MongoDB the tests use. In this order: a deployment (MONGODB_URI), a program (MONGOD_BINARY), the one that lies beside the project,
// a download (only where MONGOD_DOWNLOAD=1 asks for it). Nothing else is looked for.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

const BESIDE = resolve(import.meta.dirname, '../../../shared/mongod/bin/mongod')
/** What is downloaded where that is asked for: a release without published vulnerabilities that matter here. */
const VERSION = '7.0.28'

export const HOW = 'Set MONGODB_URI (a replica set), MONGOD_BINARY (a mongod of 7.0 or newer), or MONGOD_DOWNLOAD=1.'

/** `{ uri }`, `{ binary }` or `{ download }`; undefined where there is none. */
export function findMongod(env = process.env) {
  if (env.MONGODB_URI) return { uri: env.MONGODB_URI }
  if (env.MONGOD_BINARY) return { binary: env.MONGOD_BINARY }
  if (runs(BESIDE)) return { binary: BESIDE }
  return env.MONGOD_DOWNLOAD === '1' ? { download: VERSION } : undefined
}

let isRunning
/** Whether it is there and says its version: a machine may lack what it needs. Asked once, also for the processes that this one starts. */
function runs(program) {
  if (process.env.CREDENCE_TEST_MONGOD_RUNS === program) return true
  isRunning ??= existsSync(program) && spawnSync(program, ['--version'], { stdio: 'ignore', timeout: 120_000 }).status === 0
  if (isRunning) process.env.CREDENCE_TEST_MONGOD_RUNS = program
  return isRunning
}

/** The program that `findMongod` found, fetched first where it is to be downloaded. */
export async function mongodProgram(found = findMongod()) {
  if (found?.binary !== undefined) return found.binary
  if (found?.download === undefined) throw new Error(`no mongod. ${HOW}`)
  const { MongoBinary } = await import('mongodb-memory-server-core')
  return MongoBinary.getPath({ version: found.download })
}

/** What a test tells a server to fail at, it must be told to obey (`configureFailPoint`). */
export const TEST_COMMANDS = ['--setParameter', 'enableTestCommands=1']

/** A replica set of `count` members that end with this process. */
export async function startMembers(count = 1, args = []) {
  const { MongoMemoryReplSet } = await import('mongodb-memory-server-core')
  // Whichever version it is
  process.env.MONGOMS_SYSTEM_BINARY_VERSION_CHECK = 'false'
  const options = {
    binary: { systemBinary: await mongodProgram(), checkMD5: false, version: VERSION },
    replSet: { count, ip: '127.0.0.1', storageEngine: 'wiredTiger' },
    instanceOpts: Array.from({ length: count }, () => ({ launchTimeout: 60_000, args })),
  }
  return MongoMemoryReplSet.create(options).catch((error) => {
    console.error(`a server did not start and is started anew: ${error.message}`)
    return MongoMemoryReplSet.create(options)
  })
}

/** Before the database's name (there may be several hosts, which no URL parser takes), and the name. */
const URL_PARTS = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/([^?]*))?/

/** The same deployment, another database. */
export const urlOf = (uri, database) => uri.replace(URL_PARTS, (_, hosts) => `${hosts}/${database}`)

export const databaseOf = (uri) => URL_PARTS.exec(uri)?.[2]
