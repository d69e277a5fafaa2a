// One MongoDB server for all test files of a run, because each costs 400 MB and seconds to start. At the end a line says how much was written.
import { MongoClient } from 'mongodb'
import { findMongod, startMembers, TEST_COMMANDS } from './storage/find-mongod.mjs'
import { POOL } from './storage/open-mongo.js'

/** Vitest calls this before the first file that needs MongoDB, and the returned function after the last. */
export async function setup(): Promise<() => Promise<void>> {
  const found = findMongod()
  if (found === undefined) return async () => undefined
  const own = found.uri === undefined ? await startMembers(1, TEST_COMMANDS) : undefined
  const output = own === undefined ? undefined : lastOutput(own)
  const uri = found.uri ?? own?.getUri() ?? ''
  process.env.CREDENCE_TEST_MONGOD = uri
  const client = await MongoClient.connect(uri)
  const admin = client.db('admin')
  const { version } = await admin.command({ buildInfo: 1 })
  const before = await inserts(client)
  return async () => {
    const after = await inserts(client).catch((error: unknown) => {
      console.error(
        `\n*** MongoDB stopped answering: ${String(error)}. Its last output:\n${output?.() ?? '(not started by this run)'}\n***\n`,
      )
      throw error
    })
    const names = await client.db(POOL).collection<{ _id: string }>('free').distinct('_id')
    for (const name of [...names, POOL]) await client.db(name).dropDatabase()
    await client.close()
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

/** Returns a function that returns the lines about faults and the last lines that the server printed. */
function lastOutput(members: Awaited<ReturnType<typeof startMembers>>): () => string {
  let kept = ''
  for (const { instanceInfo } of members.servers)
    for (const stream of [instanceInfo?.instance.mongodProcess?.stdout, instanceInfo?.instance.mongodProcess?.stderr])
      stream?.on('data', (text: Buffer) => {
        kept = (kept + text.toString()).slice(-KEPT_CHARACTERS)
      })
  return () => {
    const lines = kept.split('\n')
    return [...lines.filter((line) => FAULT.test(line)).slice(-40), ...lines.slice(-20)].map((line) => line.slice(0, 500)).join('\n')
  }
}
