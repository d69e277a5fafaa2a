// One MongoDB server for all test files of a run, because each costs 400 MB and seconds to start. At the end a line says how much was written.
import { MongoClient } from 'mongodb'
import { findMongod, startMembers, TEST_COMMANDS } from './storage/find-mongod.mjs'
import { POOL } from './storage/open-mongo.js'

/** Vitest calls this before the first file that needs MongoDB, and the returned function after the last. */
export async function setup(): Promise<() => Promise<void>> {
  const found = findMongod()
  if (found === undefined) return async () => undefined
  const own = found.uri === undefined ? await startMembers(1, TEST_COMMANDS) : undefined
  const reports = own && reportEnd(own)
  const uri = found.uri ?? own?.getUri() ?? ''
  process.env.CREDENCE_TEST_MONGOD = uri
  const client = await MongoClient.connect(uri)
  const admin = client.db('admin')
  const { version } = await admin.command({ buildInfo: 1 })
  // Otherwise the workers create it at once by their first write, which sometimes ends a server that runs under wine (exit code 5)
  await client
    .db(POOL)
    .createCollection('free')
    .catch(() => undefined)
  const before = await inserts(client)
  return async () => {
    const after = await inserts(client)
    const names = await client.db(POOL).collection<{ _id: string }>('free').distinct('_id')
    for (const name of [...names, POOL]) await client.db(name).dropDatabase()
    await client.close()
    reports?.stopping()
    await own?.stop({ doCleanup: true, force: true })
    console.log(`\n*** MongoDB ${version}: ${after - before} documents were written by the tests ***\n`)
    if (process.env.CREDENCE_TEST_MONGODB === 'required' && after - before < LEAST)
      throw new Error(
        `CREDENCE_TEST_MONGODB=required, but the tests inserted only ${after - before} documents into MongoDB (at least ${LEAST} expected)`,
      )
  }
}

/** A run over MongoDB inserts thousands of documents. A run that inserts fewer than this did not use MongoDB. */
const LEAST = 1000

async function inserts(client: MongoClient): Promise<number> {
  const { opcounters } = await client.db('admin').command({ serverStatus: 1 })
  return Number(opcounters.insert)
}

/** What a server prints when it ends by a fault follows hundreds of lines about connections. */
const KEPT_CHARACTERS = 200_000
const FAULT = /"s":"[FE]"|BACKTRACE|assert|exception|unhandled/i

/** Prints what a server printed last if it ends before it is stopped: all later tests fail because of that. */
function reportEnd(members: Awaited<ReturnType<typeof startMembers>>): { stopping(): void } {
  let isStopping = false
  for (const { instanceInfo } of members.servers) {
    const server = instanceInfo?.instance.mongodProcess
    let kept = ''
    for (const stream of [server?.stdout, server?.stderr])
      stream?.on('data', (text: Buffer) => {
        kept = (kept + text.toString()).slice(-KEPT_CHARACTERS)
      })
    server?.on('exit', (code, signal) => {
      if (isStopping) return
      const lines = kept.split('\n')
      const shown = [...lines.filter((line) => FAULT.test(line)).slice(-40), ...lines.slice(-20)].map((line) => line.slice(0, 1000))
      console.error(`\n*** The MongoDB server ended (${signal ?? `code ${code}`}). It printed:\n${shown.join('\n')}\n***\n`)
    })
  }
  return {
    stopping: () => {
      isStopping = true
    },
  }
}
