// Three instances over one database, whose own clock runs: two are right, and somebody sets the clock of the third. Nothing here sets the
// server's: what it says is compared.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Log, silentLog } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import { type RunningServer, startServer } from '../../../src/server/server.js'
import { type MongoStorage, openMongo } from '../../../src/storage/mongo/open.js'
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
let opened: { readonly server: RunningServer; readonly storage: MongoStorage }[]
let front: Front
let clock: SetClock
let heard: [string, object | undefined][]
let cast: Cast
let ocr: AgentActor
let planner: AgentActor

const hear = (text: string, fields?: object) => void heard.push([text, fields])
const heardLog: Log = { info: hear, warn: hear, error: (text, _, fields) => hear(text, fields) }

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

/** The server whose clock is set, alone behind the address; then both that are right. */
let wrong: RunningServer
let right: readonly RunningServer[]
const ask = (servers: readonly RunningServer[]) => front.route(servers.map(({ port }) => port))
const blocks = () => withDatabase(url, (db) => db.collection('log-blocks').countDocuments({ first: { $exists: true } }))
const readyz = async ({ adminPort }: RunningServer) => {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/readyz`)
  return `${answer.status} ${await answer.text()}`
}

// Tried twice: these instances run by the machine's clock, by which a busy one has no answer in 250 ms
describe.skipIf(!hasMongod)(hasMongod ? 'a clock that is wrong' : HOW, { retry: 1 }, () => {
  beforeAll(async () => {
    mongod = await startMongod()
  }, 60_000)
  afterAll(() => mongod[Symbol.asyncDispose]())

  beforeEach(async () => {
    url = mongod.url()
    opened = []
    heard = []
    front = await openFront()
    clock = runningClock()
    right = [await start('one', runningClock()), await start('two', runningClock())]
    wrong = await start('three', clock, heardLog)
    ask(right)
    cast = await newCast({ issuer: front.origin, firstCode: wrong.firstCode ?? '' })
    ocr = await cast.agent({ name: 'ocr', contact: { mode: 'open' } })
    await ocr.publish({ card: aCard({ issuer: front.origin }) })
    planner = await cast.agent({ name: 'planner', ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] } })
    await introduce(planner, ocr)
  })
  afterEach(async () => {
    await Promise.all(opened.map(({ server }) => server.close()))
    await Promise.all(opened.map(({ storage }) => storage.close()))
    await front[Symbol.asyncDispose]()
    await mongod.drop(url)
  })

  test.each([
    ['an hour ahead', HOUR],
    ['ten seconds behind', -10],
  ])('set %s, while it runs, it neither writes nor decides; the others go on, and so does it when it is set right', async (_, seconds) => {
    const { accessToken } = await planner.exchange({ audience: ocr.audience })
    const { taskId } = await planner.tasks.create({ description: 'a task' })
    clock.step(seconds)
    ask([wrong])
    const before = await blocks()
    // Of a client that has a token, and of one whose clock is as wrong
    const asked = [
      () => planner.tasks.end(taskId),
      () => ocr.introspect(accessToken),
      () => planner.exchange({ audience: ocr.audience }),
      () => cast.as(planner, { clock }).token(),
    ]
    expect(await Promise.all(asked.map((work) => reasonOf(work())))).toEqual(asked.map(() => 'standing_unknown'))
    expect(await blocks()).toBe(before)
    expect(await readyz(wrong)).toMatch(/^503 not ready: this clock \(.*Z\) and that of the store \(.*Z\) are more than 5 s apart/)
    const said = heard.filter(([text]) => text.includes('too far apart'))
    expect(said).toHaveLength(1)
    const { 'clock.own': own, 'clock.store': store } = said[0]?.[1] as Record<string, string>
    expect(Math.abs(Date.parse(String(own)) - Date.parse(String(store)) - seconds * 1000)).toBeLessThan(3000)
    // Public bytes need no standing
    for (const path of ['/.well-known/jwks.json', `/agents/${ocr.agentId}/.well-known/agent-card.json`, '/log/checkpoint'])
      expect((await fetch(front.origin + path)).status).toBe(200)

    ask(right)
    expect(await readyz(right[0] ?? wrong)).toBe('200 ok\n')
    await planner.tasks.end(taskId)
    expect(await ocr.introspect(accessToken)).toMatchObject({ active: true })

    clock.step(-seconds)
    ask([wrong])
    await planner.tasks.create({ description: 'another' })
    expect(await readyz(wrong)).toBe('200 ok\n')
    expect(await blocks()).toBeGreaterThan(before)
  })

  test('two seconds off it goes on', async () => {
    for (const seconds of [2, -4]) {
      clock.step(seconds)
      ask([wrong])
      const { taskId } = await planner.tasks.create({ description: 'a task' })
      await planner.tasks.end(taskId)
      expect([seconds, (await planner.tasks.get(taskId)).state]).toEqual([seconds, 'ended'])
    }
  })

  test('it does not start, and says why', async () => {
    const late = runningClock()
    late.step(HOUR)
    await expect(start('four', late)).rejects.toThrow(/this clock \(.*\) and that of the store \(.*\) are more than 5 s apart/)
  })

  test('it begins no log in an empty database, and restores none', async () => {
    const late = runningClock()
    late.step(HOUR)
    const there = url
    url = mongod.url()
    await expect(start('four', late)).rejects.toThrow('more than 5 s apart')
    expect(await blocks()).toBe(0)
    await mongod.drop(url)
    url = there
    const [{ storage }] = opened as [(typeof opened)[number]]
    const before = await blocks()
    const own = await openMongo({ url, clock: late, instance: 'restore', warn: () => undefined })
    const witness = { name: 'none', read: async () => undefined, write: async () => undefined }
    const deps = { port: own.log, witness, mirror: [], ...noRecords, clock: late, random: systemRandom, log: silentLog }
    await expect(restoreLog(deps)).rejects.toThrow('more than 5 s apart')
    await own.close()
    expect(await blocks()).toBe(before)
    expect(await storage.log.head()).toBeDefined()
  })

  test('to learn the server’s time costs no command: a head is one', async () => {
    await Promise.all(opened.map(({ server }) => server.close()))
    const [{ storage }] = opened as [(typeof opened)[number]]
    const sent = await withDatabase(url, async (db) => {
      await db.setProfilingLevel('all')
      for (let i = 0; i < 3; i++) await storage.log.head()
      await db.setProfilingLevel('off')
      return (
        await db
          .collection('system.profile')
          .find({ ns: /log-blocks$/ })
          .sort({ ts: 1 })
          .toArray()
      ).map(({ op }) => String(op))
    })
    // Besides that it tells, once a second, that it is there
    expect(sent.filter((op) => op !== 'update')).toEqual(['command', 'command', 'command'])
    expect(sent.length).toBeLessThan(6)
  })

  test('what the server said lies between the question and its answer', async () => {
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
