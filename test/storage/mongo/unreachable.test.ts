// The database is paused under two running servers, and goes on. What needs no standing goes on, everything else says 503.
import type { MongoMemoryReplSet } from 'mongodb-memory-server-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RESPONSE_TIMEOUT_MS } from '../../../src/http/server.js'
import { systemClock } from '../../../src/lib/clock.js'
import { silentLog } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import { type RunningServer, startServer } from '../../../src/server/server.js'
import { openMongo } from '../../../src/storage/mongo/open.js'
import type { Storage } from '../../../src/storage/storage.js'
import { type Front, openFront } from '../../front.js'
import { type AgentActor, aCard, type Cast, newCast } from '../../registry.js'
import { findMongod, startMembers } from '../find-mongod.mjs'

/** A deployment that was named is nobody's to pause. */
const found = findMongod()
const isOurs = found !== undefined && found.uri === undefined
/** Within it every request is answered, and some for a busy machine. */
const LIMIT_MS = RESPONSE_TIMEOUT_MS + 3000

let member: MongoMemoryReplSet
let storages: Storage[]
let servers: RunningServer[]
let front: Front
let cast: Cast
let callee: AgentActor
let planner: AgentActor
let token: string

async function open(database: string): Promise<void> {
  front = await openFront()
  const issuer = front.origin
  const url = member.getUri(database)
  const store = (instance: string) => openMongo({ url, clock: systemClock, instance, warn: () => undefined })
  storages = [await store('one'), await store('two')]
  const parts = { clock: systemClock, random: systemRandom, log: silentLog, issuer, dev: true, host: '127.0.0.1', port: 0, adminPort: 0 }
  servers = []
  for (const storage of storages) servers.push(await startServer({ ...parts, storage }))
  front.route(servers.map(({ port }) => port))
  cast = await newCast({ issuer, firstCode: servers.at(-1)?.firstCode ?? '' })
  callee = await cast.agent({ name: 'callee', contact: { mode: 'open' } })
  await callee.publish({ card: aCard({ issuer }) })
  planner = await cast.agent({ name: 'planner', ceiling: { rights: [{ audience: callee.audience, scope: 'ocr:read' }] } })
  await planner.introductions.request({ to: callee.agentId, purpose: 'a test', scopes: ['ocr:read'] })
  token = (await planner.exchange({ audience: callee.audience })).accessToken
}
async function close(): Promise<void> {
  await front[Symbol.asyncDispose]()
  await Promise.all(servers.map((server) => server.close()))
  await Promise.all(storages.map((storage) => storage.close()))
}

beforeAll(async () => {
  if (!isOurs) return
  member = await startMembers()
  // Once more where a busy machine had no answer in 250 ms: nothing is tested yet
  await open('credence-away').catch(async () => {
    await close()
    await open('credence-away-again')
  })
}, 120_000)
afterAll(async () => {
  if (!isOurs) return
  await close()
  await member.stop({ doCleanup: true, force: true })
}, 60_000)

const PUBLIC = () => [
  '/.well-known/jwks.json',
  `/agents/${callee.agentId}/.well-known/agent-card.json`,
  `/agents/${callee.agentId}/jwks.json`,
]

/** Of every server; the first time, so that each has it. */
async function publicAnswers(): Promise<unknown[]> {
  const answers = []
  for (const path of PUBLIC())
    for (const { port } of servers) {
      const started = performance.now()
      const answer = await fetch(`http://127.0.0.1:${port}${path}`)
      answers.push({ path, status: answer.status, text: await answer.text(), inTime: performance.now() - started < LIMIT_MS })
    }
  return answers
}

/** What needs standing: a view, a search, a token; the status and whether it says when to come back. */
async function needy(): Promise<unknown[]> {
  const doors = [
    () => servers.map(({ port }) => fetch(`http://127.0.0.1:${port}/agents/${callee.agentId}/card`)),
    () => servers.map(({ port }) => fetch(`http://127.0.0.1:${port}/trpc/discovery.search?input=${encodeURIComponent('{"text":"ocr"}')}`)),
    () => [raw('/oauth/token', 'grant_type=client_credentials')],
  ]
  const answers = await Promise.all(
    doors
      .flatMap((door) => door())
      .map(async (asked) => {
        const started = performance.now()
        const answer = await asked
        return { status: answer.status, comesBack: answer.headers.has('retry-after'), inTime: performance.now() - started < LIMIT_MS }
      }),
  )
  return answers
}

/** An authentic request: an assertion and a proof of the planner. */
async function raw(path: string, body: string): Promise<Response> {
  let sent: Promise<Response> | undefined
  const agent = cast.as(planner, {
    clock: systemClock,
    fetch: async (input, init) => {
      if (!String(input).endsWith(path)) return fetch(input, init)
      sent = fetch(input, init)
      return (await sent).clone()
    },
  })
  await agent.token().catch(() => body)
  return sent ?? Response.error()
}

const away = { status: 503, comesBack: true, inTime: true }

async function comesBack(): Promise<void> {
  await expect.poll(() => callee.introspect(token).then(({ active }) => active, String), { timeout: 40_000, interval: 200 }).toBe(true)
}

test.skipIf(!isOurs)(
  'a database that is paused: public bytes go on, the rest is answered 503 in time, and it recovers by itself',
  async () => {
    const before = await publicAnswers()
    const server = member.servers[0]?.instanceInfo?.instance.mongodProcess
    server?.kill('SIGSTOP')
    try {
      expect(await publicAnswers()).toEqual(before)
      expect(new Set((await needy()).map((one) => JSON.stringify(one)))).toEqual(new Set([JSON.stringify(away)]))
    } finally {
      server?.kill('SIGCONT')
    }
    await comesBack()
  },
  120_000,
)

/** Rings of a Storage that appends nothing itself, so that all of them come from the database. */
function ringsOf({ log }: Storage): { readonly count: number } {
  const heard = { count: 0 }
  log.onAppend(() => {
    heard.count++
  })
  return heard
}

test.skipIf(!isOurs)(
  'a doorbell rings again after the database was away for longer than the driver tries, and where it was away when somebody began to listen',
  async () => {
    const url = member.getUri('credence-away')
    const open = (instance: string) => openMongo({ url, clock: systemClock, instance, warn: () => undefined })
    const [before, meanwhile] = [await open('three'), await open('four')]
    const end = () => cast.operator.mutate<object>('agents.suspend', { agentId: planner.agentId })
    const server = member.servers[0]?.instanceInfo?.instance.mongodProcess
    try {
      const rings = [ringsOf(before)]
      await before.log.head()
      await expect.poll(() => rings[0]?.count, { timeout: 20_000 }).toBeGreaterThan(0)
      server?.kill('SIGSTOP')
      try {
        rings.push(ringsOf(meanwhile))
        // 3 s for an answer, then 3 s for a primary, each time
        for (let i = 0; i < 4; i++) await expect(before.log.head()).rejects.toMatchObject({ reason: 'unavailable' })
        await expect(meanwhile.log.head()).rejects.toMatchObject({ reason: 'unavailable' })
      } finally {
        server?.kill('SIGCONT')
      }
      await comesBack()
      const told = rings.map(({ count }) => count)
      // As every instance does, twice a second
      const heads = () => Promise.all([before, meanwhile].map(({ log }) => log.head()))
      await expect
        .poll(() => heads().then(() => rings.map(({ count }, i) => count > (told[i] ?? 0)), String), { timeout: 30_000, interval: 500 })
        .toEqual([true, true])
      const again = rings.map(({ count }) => count)
      await end()
      await expect.poll(() => rings.map(({ count }, i) => count > (again[i] ?? 0)), { timeout: 10_000 }).toEqual([true, true])
    } finally {
      await Promise.all([before.close(), meanwhile.close()])
    }
  },
  180_000,
)

test.skipIf(!isOurs)(
  'what has ended is not answered from memory',
  async () => {
    await publicAnswers()
    const first = await cast.operator.mutate<object>('agents.suspend', { agentId: callee.agentId })
    expect(first).toBeDefined()
    // Both servers have read of it
    for (const { trustLog } of servers) await trustLog.readBarrier()
    const server = member.servers[0]?.instanceInfo?.instance.mongodProcess
    server?.kill('SIGSTOP')
    try {
      const statuses = await Promise.all(servers.map(async ({ port }) => (await fetch(`http://127.0.0.1:${port}${PUBLIC()[1]}`)).status))
      expect(statuses).toEqual([503, 503])
    } finally {
      server?.kill('SIGCONT')
    }
  },
  120_000,
)
