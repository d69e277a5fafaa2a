// Finds the MongoDB server for the tests, in this order: a deployment (MONGODB_URI), a program (MONGOD_BINARY), the program in ../shared/mongod,
// a download (only if MONGOD_DOWNLOAD=1).
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

const SHARED_BINARY = resolve(import.meta.dirname, '../../../shared/mongod/bin/mongod')
/** The release that MONGOD_DOWNLOAD=1 downloads: one without known vulnerabilities that matter here. */
const VERSION = '7.0.28'

export const HOW = 'Set MONGODB_URI (a replica set), MONGOD_BINARY (a mongod of 7.0 or newer), or MONGOD_DOWNLOAD=1.'

/** Returns `{ uri }`, `{ binary }` or `{ download }`, or undefined. */
export function findMongod(env = process.env) {
  if (env.MONGODB_URI) return { uri: env.MONGODB_URI }
  if (env.MONGOD_BINARY) return { binary: env.MONGOD_BINARY }
  if (runs(SHARED_BINARY)) return { binary: SHARED_BINARY }
  return env.MONGOD_DOWNLOAD === '1' ? { download: VERSION } : undefined
}

let isRunning
/** True if the program exists and can run here. Checked once; the environment passes the result to child processes. */
function runs(program) {
  if (process.env.CREDENCE_TEST_MONGOD_RUNS === program) return true
  isRunning ??= existsSync(program) && spawnSync(program, ['--version'], { stdio: 'ignore', timeout: 120_000 }).status === 0
  if (isRunning) process.env.CREDENCE_TEST_MONGOD_RUNS = program
  return isRunning
}

/** The path of the program that `findMongod` found; downloads it if necessary. */
export async function mongodProgram(found = findMongod()) {
  if (found?.binary !== undefined) return found.binary
  if (found?.download === undefined) throw new Error(`no mongod. ${HOW}`)
  const { MongoBinary } = await import('mongodb-memory-server-core')
  return MongoBinary.getPath({ version: found.download })
}

/** Lets tests use `configureFailPoint`. */
export const TEST_COMMANDS = ['--setParameter', 'enableTestCommands=1']

/** Starts a replica set of `count` members that end with this process. */
export async function startMembers(count = 1, args = []) {
  const { MongoMemoryReplSet } = await import('mongodb-memory-server-core')
  // Accept any version
  process.env.MONGOMS_SYSTEM_BINARY_VERSION_CHECK = 'false'
  const options = {
    binary: { systemBinary: await mongodProgram(), checkMD5: false, version: VERSION },
    replSet: { count, ip: '127.0.0.1', storageEngine: 'wiredTiger' },
    instanceOpts: Array.from({ length: count }, () => ({ launchTimeout: 60_000, args })),
  }
  return MongoMemoryReplSet.create(options).catch((error) => {
    console.error(`a MongoDB server did not start, trying again: ${error.message}`)
    return MongoMemoryReplSet.create(options)
  })
}

/** Splits a URL before the name of the database. `URL` cannot parse a list of hosts. */
const URL_PARTS = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/([^?]*))?/

/** The same URL with another database. */
export const urlOf = (uri, database) => uri.replace(URL_PARTS, (_, hosts) => `${hosts}/${database}`)

export const databaseOf = (uri) => URL_PARTS.exec(uri)?.[2]
