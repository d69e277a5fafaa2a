// The database stands still under two running servers, and answers again. Public resources are served meanwhile, everything else gets 503.
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
import { type SwallowingProxy, swallowingProxy } from '../../swallowing-proxy.js'
import { findMongod } from '../find-mongod.mjs'
import { type Mongod, startMongod } from '../open-mongo.js'

/** The hosts of a deployment of MONGODB_URI cannot be replaced by a proxy. */
const found = findMongod()
const isOurs = found !== undefined && found.uri === undefined
/** Every request must get its response in this time, which includes 3 s for a busy machine. */
const LIMIT_MS = RESPONSE_TIMEOUT_MS + 3000

let mongod: Mongod
/** Stands between the servers and the database. A database server that is suspended itself keeps a processor busy under wine. */
let proxy: SwallowingProxy
let leased: string
let database: string
let storages: Storage[]
let servers: RunningServer[]
let front: Front
let cast: Cast
let callee: AgentActor
let planner: AgentActor
let token: string

/** Opens the leased database through the proxy. */
const openStorage = (instance: string) => openMongo({ url: database, clock: systemClock, instance, warn: () => undefined })

async function open(): Promise<void> {
  leased = await mongod.lease()
  const direct = new URL(leased)
  direct.port = String(proxy.port)
  direct.searchParams.set('directConnection', 'true')
  database = direct.href
  front = await openFront()
  const issuer = front.origin
  storages = [await openStorage('one'), await openStorage('two')]
  const parts = { clock: systemClock, random: systemRandom, log: silentLog, issuer, dev: true, host: '127.0.0.1', port: 0, adminPort: 0 }
  servers = []
  for (const storage of storages) servers.push(await startServer({ ...parts, storage }))
  front.route(servers.map(({ port }) => port))
  cast = await newCast({ issuer, firstCode: servers.at(-1)?.firstCode ?? '' })
  callee = await cast.agent({ name: 'callee', introductionPolicy: { mode: 'open' } })
  await callee.publish({ card: aCard({ issuer }) })
  planner = await cast.agent({ name: 'planner', ceiling: { rights: [{ audience: callee.audience, scope: 'ocr:read' }] } })
  await planner.introductions.request({ to: callee.agentId, purpose: 'a test', scopes: ['ocr:read'] })
  token = (await planner.exchange({ audience: callee.audience })).accessToken
}
async function close(): Promise<void> {
  await front[Symbol.asyncDispose]()
  await Promise.all(servers.map((server) => server.close()))
  await Promise.all(storages.map((storage) => storage.close()))
  await mongod.release(leased)
}

beforeAll(async () => {
  if (!isOurs) return
  mongod = await startMongod()
  proxy = await swallowingProxy(Number(new URL(mongod.url()).port))
  // Retried once: on a busy machine a barrier read may take longer than 250 ms
  await open().catch(async () => {
    await close()
    await open()
  })
})
afterAll(async () => {
  if (!isOurs) return
  await close()
  await proxy[Symbol.asyncDispose]()
  await mongod[Symbol.asyncDispose]()
})

const PUBLIC = () => [
  '/.well-known/jwks.json',
  `/agents/${callee.agentId}/.well-known/agent-card.json`,
  `/agents/${callee.agentId}/jwks.json`,
]

/** The public resources of every server. The first call fills their caches. */
async function publicResponses(): Promise<unknown[]> {
  const responses = []
  for (const path of PUBLIC())
    for (const { port } of servers) {
      const started = performance.now()
      const response = await fetch(`http://127.0.0.1:${port}${path}`)
      responses.push({ path, status: response.status, text: await response.text(), inTime: performance.now() - started < LIMIT_MS })
    }
  return responses
}

/** Responses to requests that need a read barrier: a card view, a search, a token. */
async function barrierResponses(): Promise<unknown[]> {
  const requests = [
    () => servers.map(({ port }) => fetch(`http://127.0.0.1:${port}/agents/${callee.agentId}/card`)),
    () => servers.map(({ port }) => fetch(`http://127.0.0.1:${port}/trpc/discovery.search?input=${encodeURIComponent('{"text":"ocr"}')}`)),
    () => [raw('/oauth/token', 'grant_type=client_credentials')],
  ]
  const responses = await Promise.all(
    requests
      .flatMap((send) => send())
      .map(async (sent) => {
        const started = performance.now()
        const response = await sent
        return {
          status: response.status,
          hasRetryAfter: response.headers.has('retry-after'),
          inTime: performance.now() - started < LIMIT_MS,
        }
      }),
  )
  return responses
}

/** Sends an authentic request with an assertion and a proof of the planner, and returns the raw response. */
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

const UNAVAILABLE = { status: 503, hasRetryAfter: true, inTime: true }

async function awaitRecovery(): Promise<void> {
  await expect.poll(() => callee.introspect(token).then(({ active }) => active, String), { interval: 200 }).toBe(true)
}

test.skipIf(!isOurs)(
  'while the database stands still public resources are served and everything else gets 503 in time, and the servers recover',
  async () => {
    const before = await publicResponses()
    proxy.freeze()
    try {
      expect(await publicResponses()).toEqual(before)
      expect(new Set((await barrierResponses()).map((one) => JSON.stringify(one)))).toEqual(new Set([JSON.stringify(UNAVAILABLE)]))
    } finally {
      proxy.thaw()
    }
    await awaitRecovery()
  },
)

/** Counts the notifications of a Storage that appends nothing itself, so that all come from the change stream. */
function notificationsOf({ log }: Storage): { readonly count: number } {
  const received = { count: 0 }
  log.onAppend(() => {
    received.count++
  })
  return received
}

test.skipIf(!isOurs)(
  'the change notifier recovers after an outage longer than the driver’s retries, also for a listener that subscribed during it',
  async () => {
    const [before, meanwhile] = [await openStorage('three'), await openStorage('four')]
    const end = () => cast.operator.mutate<object>('agents.suspend', { agentId: planner.agentId })
    try {
      const notifications = [notificationsOf(before)]
      await before.log.head()
      await expect.poll(() => notifications[0]?.count).toBeGreaterThan(0)
      proxy.freeze()
      try {
        notifications.push(notificationsOf(meanwhile))
        // Each attempt takes 3 s for a response and 3 s to find a primary
        for (let i = 0; i < 4; i++) await expect(before.log.head()).rejects.toMatchObject({ reason: 'unavailable' })
        await expect(meanwhile.log.head()).rejects.toMatchObject({ reason: 'unavailable' })
      } finally {
        proxy.thaw()
      }
      await awaitRecovery()
      const counts = notifications.map(({ count }) => count)
      // Every instance reads the head twice a second
      const heads = () => Promise.all([before, meanwhile].map(({ log }) => log.head()))
      await expect
        .poll(() => heads().then(() => notifications.map(({ count }, i) => count > (counts[i] ?? 0)), String), {
          timeout: 30_000,
          interval: 500,
        })
        .toEqual([true, true])
      const again = notifications.map(({ count }) => count)
      await end()
      await expect.poll(() => notifications.map(({ count }, i) => count > (again[i] ?? 0))).toEqual([true, true])
    } finally {
      await Promise.all([before.close(), meanwhile.close()])
    }
  },
  180_000,
)

test.skipIf(!isOurs)('a revoked card is not served from the cache', async () => {
  await publicResponses()
  const first = await cast.operator.mutate<object>('agents.suspend', { agentId: callee.agentId })
  expect(first).toBeDefined()
  // Both servers have read the revocation
  for (const { trustLog } of servers) await trustLog.readBarrier()
  proxy.freeze()
  try {
    const statuses = await Promise.all(servers.map(async ({ port }) => (await fetch(`http://127.0.0.1:${port}${PUBLIC()[1]}`)).status))
    expect(statuses).toEqual([503, 503])
  } finally {
    proxy.thaw()
  }
})
