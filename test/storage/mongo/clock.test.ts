// Three instances over one database. The clock of the third instance is set wrong; the others and the server use the machine's clock.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/lib/clock.js'
import { type Log, silentLog } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import { type RunningServer, startServer } from '../../../src/server/server.js'
import type { BulkReadableStorage } from '../../../src/storage/bulk.js'
import { openMongo } from '../../../src/storage/mongo/open.js'
import { restoreLog } from '../../../src/trust-log/recovery/restore.js'
import { type Front, openFront } from '../../front.js'
import { type AgentActor, aCard, type Cast, newCast } from '../../registry.js'
import { runningClock, type SetClock } from '../../set-clock.js'
import { introduce, reasonOf } from '../../stories/actors.js'
import { noRecords } from '../../trust-log/open-logs.js'
import { HOW } from '../find-mongod.mjs'
import { hasMongod, type Mongod, startMongod } from '../open-mongo.js'
import { withDatabase } from './backup.js'

const HOUR = 3600
let mongod: Mongod
let url: string
let opened: { readonly server: RunningServer; readonly storage: BulkReadableStorage }[]
let front: Front
let clock: SetClock
let logged: [string, object | undefined][]
let cast: Cast
let ocr: AgentActor
let planner: AgentActor

const record = (text: string, fields?: object) => void logged.push([text, fields])
const recordingLog: Log = { debug: record, info: record, warn: record, error: (text, _, fields) => record(text, fields) }

async function start(instance: string, clock: SetClock, log: Log = silentLog): Promise<RunningServer> {
  const storage = await openMongo({ url, clock, instance, warn: () => undefined })
  const parts = { clock, random: systemRandom, log, issuer: front.origin, dev: true, host: '127.0.0.1', port: 0, adminPort: 0 }
  try {
    const server = await startServer({ ...parts, storage })
    opened.push({ server, storage })
    return server
  } catch (error) {
    await storage.close()
    throw error
  }
}

/** The server with the wrong clock, and the two others. */
let wrong: RunningServer
let right: readonly RunningServer[]
const routeTo = (servers: readonly RunningServer[]) => front.route(servers.map(({ port }) => port))
const blocks = () => withDatabase(url, (db) => db.collection('log-blocks').countDocuments({ first: { $exists: true } }))
const readyz = async ({ adminPort }: RunningServer) => {
  const response = await fetch(`http://127.0.0.1:${adminPort}/readyz`)
  return `${response.status} ${await response.text()}`
}

// Retried once: on a busy machine a barrier read may take longer than 250 ms of the machine's clock
describe.skipIf(!hasMongod)(hasMongod ? 'a wrong clock' : HOW, { retry: 1 }, () => {
  const openWorld = async () => {
    url = await mongod.lease()
    opened = []
    logged = []
    front = await openFront()
    clock = runningClock()
    right = [await start('one', runningClock()), await start('two', runningClock())]
    wrong = await start('three', clock, recordingLog)
    routeTo(right)
    cast = await newCast({ issuer: front.origin, firstCode: wrong.firstCode ?? '' })
    ocr = await cast.agent({ name: 'ocr', introductionPolicy: { mode: 'open' } })
    await ocr.publish({ card: aCard({ issuer: front.origin }) })
    planner = await cast.agent({ name: 'planner', ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] } })
    await introduce(planner, ocr)
  }
  const closeWorld = async () => {
    await Promise.all(opened.map(({ server }) => server.close()))
    await Promise.all(opened.map(({ storage }) => storage.close()))
    await front[Symbol.asyncDispose]()
    await mongod.release(url)
  }
  beforeAll(async () => {
    mongod = await startMongod()
    await openWorld().catch(() => closeWorld().then(openWorld))
  })
  afterAll(async () => {
    await closeWorld()
    await mongod[Symbol.asyncDispose]()
  })
  beforeEach(() => {
    logged = []
    routeTo(right)
  })
  afterEach(() => clock.step(systemClock.now() - clock.now()))

  test.each([
    ['an hour ahead', HOUR],
    ['ten seconds behind', -10],
  ])('an instance whose clock is set %s refuses reads and writes until its clock is right, and the others work', async (_, seconds) => {
    const { accessToken } = await planner.exchange({ audience: ocr.audience })
    const { taskId } = await planner.tasks.create({ description: 'a task' })
    clock.step(seconds)
    routeTo([wrong])
    const before = await blocks()
    // Requests of a client that has a token, and of one whose clock is equally wrong
    const requests = [
      () => planner.tasks.end(taskId),
      () => ocr.introspect(accessToken),
      () => planner.exchange({ audience: ocr.audience }),
      () => cast.as(planner, { clock }).token(),
    ]
    expect(await Promise.all(requests.map((send) => reasonOf(send())))).toEqual(requests.map(() => 'standing_unknown'))
    expect(await blocks()).toBe(before)
    expect(await readyz(wrong)).toMatch(/^503 not ready: this instance's clock \(.*Z\) and the store's \(.*Z\) differ by more than 5 s/)
    const entries = logged.filter(([text]) => text.includes('differ too much'))
    expect(entries).toHaveLength(1)
    const { 'clock.own': own, 'clock.store': store } = entries[0]?.[1] as Record<string, string>
    expect(Math.abs(Date.parse(String(own)) - Date.parse(String(store)) - seconds * 1000)).toBeLessThan(3000)
    // Public resources need no barrier
    for (const path of ['/.well-known/jwks.json', `/agents/${ocr.agentId}/.well-known/agent-card.json`, '/log/checkpoint'])
      expect((await fetch(front.origin + path)).status).toBe(200)

    routeTo(right)
    expect(await readyz(right[0] ?? wrong)).toBe('200 ok\n')
    await planner.tasks.end(taskId)
    expect(await ocr.introspect(accessToken)).toMatchObject({ active: true })

    clock.step(-seconds)
    routeTo([wrong])
    await planner.tasks.create({ description: 'another' })
    expect(await readyz(wrong)).toBe('200 ok\n')
    expect(await blocks()).toBeGreaterThan(before)
  })

  test('an instance whose clock is two seconds off works', async () => {
    for (const seconds of [2, -4]) {
      clock.step(seconds)
      routeTo([wrong])
      const { taskId } = await planner.tasks.create({ description: 'a task' })
      await planner.tasks.end(taskId)
      expect([seconds, (await planner.tasks.get(taskId)).state]).toEqual([seconds, 'ended'])
    }
  })

  test('an instance with a wrong clock does not start and reports both clocks', async () => {
    const late = runningClock()
    late.step(HOUR)
    await expect(start('four', late)).rejects.toThrow(/this instance's clock \(.*\) and the store's \(.*\) differ by more than 5 s/)
  })

  test('with a wrong clock no log is created in an empty database, and none is restored', async () => {
    const late = runningClock()
    late.step(HOUR)
    const existing = url
    url = await mongod.lease()
    await expect(start('four', late)).rejects.toThrow('differ by more than 5 s')
    expect(await blocks()).toBe(0)
    await mongod.release(url)
    url = existing
    const [{ storage }] = opened as [(typeof opened)[number]]
    const before = await blocks()
    const own = await openMongo({ url, clock: late, instance: 'restore', warn: () => undefined })
    const witness = { name: 'none', emptyText: 'the witness has no head', read: async () => undefined, write: async () => undefined }
    const deps = { port: own.log, witness, mirror: [], ...noRecords, clock: late, random: systemRandom, log: silentLog }
    await expect(restoreLog(deps)).rejects.toThrow('differ by more than 5 s')
    await own.close()
    expect(await blocks()).toBe(before)
    expect(await storage.log.head()).toBeDefined()
  })

  test('a read of the head is one command, which also returns the server’s time', async () => {
    const own = mongod.url()
    const storage = await openMongo({ url: own, clock: systemClock, instance: 'one', warn: () => undefined })
    // A busy machine may repeat a command that took too long: the fewest of some tries count
    const tries = []
    for (let i = 0; i < 3; i++) tries.push(await commandsOf(storage, own))
    expect(Math.min(...tries)).toBe(3)
    await storage.close()
    await mongod.drop(own)
  })

  /** How many commands three reads of the head send. Once a second an instance also renews its lease (update) and counts the others (query). */
  const commandsOf = (storage: BulkReadableStorage, own: string): Promise<number> =>
    withDatabase(own, async (db) => {
      const since = new Date()
      await db.setProfilingLevel('all')
      for (let i = 0; i < 3; i++) await storage.log.head()
      await db.setProfilingLevel('off')
      const sent = await db
        .collection('system.profile')
        .find({ ns: /log-blocks$/, ts: { $gte: since }, op: { $nin: ['update', 'query'] } })
        .toArray()
      return sent.length
    })

  test('the store time lies between the sending of the command and its response', async () => {
    const [{ storage }] = opened as [(typeof opened)[number]]
    const own = runningClock()
    const before = own.now()
    await storage.log.head()
    const time = storage.log.storeTime?.()
    expect(time?.ms).toBeGreaterThanOrEqual(before * 1000 - 2000)
    expect(time?.ms).toBeLessThan((own.now() + 3) * 1000)
    expect(time?.receivedMs).toBeGreaterThanOrEqual(time?.sentMs ?? Number.POSITIVE_INFINITY)
  })
})
