// Responses that are open when the token ends, over real sockets. The time between a revocation and the end of a response is measured with the
// machine's clock; expiry with a clock that the test moves.
import { createServer, type Server } from 'node:http'
import { connect as connect2, createServer as createServer2 } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import express from 'express'
import { fastify } from 'fastify'
import { Hono } from 'hono'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Feed, openFeed } from '../../src/client/feed.js'
import { systemClock } from '../../src/lib/clock.js'
import { systemRandom } from '../../src/lib/random.js'
import { createVerifier, guard, guardFastify, guardFetch, guardHono, type Verified, type Verifier } from '../../src/verifier/index.js'
import { awakeMs } from '../awake-time.js'
import { proofOf } from '../oauth/requests.js'
import { type Registry, startRegistry } from '../registry.js'
import { runningClock, type SetClock } from '../set-clock.js'
import { aPair, introduce, type Pair } from '../stories/actors.js'
import { type SwallowingProxy, swallowingProxy } from '../swallowing-proxy.js'

const MAX_STALENESS_MS = 1000
const NEEDS = { scope: 'ocr:read' }
/** Time for the event loop of a busy machine, besides the maximum staleness. */
const SLACK_MS = 300

let registry: Registry
let pair: Pair
let proxy: SwallowingProxy
let feed: Feed
let clock: SetClock
const servers: Server[] = []
beforeAll(async () => {
  clock = runningClock()
  registry = await startRegistry({ clock, servers: 1 })
  pair = await aPair(registry)
  proxy = await swallowingProxy(registry.servers[0]?.port ?? 0)
  feed = await openFeedThroughProxy()
})
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections?.()
    server.close()
  }
})
afterAll(async () => {
  feed.close()
  await proxy[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
})

const openFeedThroughProxy = () =>
  openFeed({
    url: async () => `ws://127.0.0.1:${proxy.port}/revocations`,
    ticket: async () => (await pair.ocr.mutate<{ ticket: string }>('system.ticket')).ticket,
    clock: systemClock,
    random: systemRandom,
  })

const PUBLIC = 'https://ocr.example'
const newVerifier = (more: object = {}): Verifier =>
  createVerifier({ issuer: registry.issuer, audience: pair.ocr.audience, publicUrl: PUBLIC, standing: feed, clock, ...more })
const headersFor = async (peer: object = {}) => {
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience, ...peer })
  return {
    authorization: `DPoP ${accessToken}`,
    dpop: await proofOf(registry, pair.planner.signer, { path: '', accessToken }, { htu: `${PUBLIC}/a2a` }),
  }
}
const urlOf = (server: Server): Promise<string> =>
  new Promise((resolve) => {
    servers.push(server)
    const ready = () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/a2a`)
    if (server.listening) ready()
    else server.listen(0, '127.0.0.1', ready)
  })

/** An endless body: one event every 20 ms. */
const ticking = () => {
  let timer: ReturnType<typeof setInterval> | undefined
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      timer = setInterval(() => controller.enqueue(new TextEncoder().encode('event\n')), 20)
    },
    cancel: () => clearInterval(timer),
  })
}
const tickInto = (response: { write(text: string): unknown; on(event: 'close', listener: () => void): unknown }) => {
  const timer = setInterval(() => response.write('event\n'), 20)
  response.on('close', () => clearInterval(timer))
}

type Send = (headers: Record<string, string>) => Promise<Response>
const overHttp =
  (start: (verifier: Verifier) => Promise<string>) =>
  async (verifier: Verifier): Promise<Send> => {
    const url = await start(verifier)
    return (headers) => fetch(url, { method: 'POST', headers })
  }

/** Servers that respond with an endless stream. */
const GUARDS: [string, (verifier: Verifier) => Promise<Send>][] = [
  [
    'node:http',
    overHttp((verifier) => {
      const protect = guard(verifier, NEEDS)
      return urlOf(createServer((request, response) => protect(request, response, () => tickInto(response))))
    }),
  ],
  [
    'node:http2',
    async (verifier) => {
      const protect = guard(verifier, NEEDS)
      const server = createServer2((request, response) => void protect(request, response, () => tickInto(response)))
      const url = await urlOf(server as unknown as Server)
      return async (headers) => {
        const session = connect2(new URL(url).origin)
        const stream = session.request({ ':method': 'POST', ':path': '/a2a', ...headers })
        stream.end()
        const status = await new Promise<number>((resolve) => stream.on('response', (sent) => resolve(Number(sent[':status']))))
        const body = new ReadableStream<Uint8Array>({
          start: (controller) => {
            stream.on('data', (chunk: Buffer) => controller.enqueue(new Uint8Array(chunk)))
            stream.on('error', (error) => controller.error(error))
            stream.on('close', () => {
              session.destroy()
              try {
                controller.error(new Error('cut off'))
              } catch {}
            })
          },
        })
        return new Response(body, { status })
      }
    },
  ],
  [
    'Express',
    overHttp((verifier) => {
      const app = express()
      app.post('/a2a', guard(verifier, NEEDS), (_request, response) => tickInto(response))
      return urlOf(createServer(app))
    }),
  ],
  [
    'Fastify',
    overHttp(async (verifier) => {
      const app = fastify()
      app.post('/a2a', { onRequest: guardFastify(verifier, NEEDS) }, (_request, reply) => {
        reply.hijack()
        tickInto(reply.raw)
      })
      await app.ready()
      return urlOf(app.server)
    }),
  ],
  [
    'Hono on Node',
    overHttp((verifier) => {
      const app = new Hono<{ Variables: { credence: Verified } }>()
      app.use('/a2a', guardHono(verifier, NEEDS))
      app.post('/a2a', (c) => c.body(ticking()))
      return urlOf(serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }) as Server)
    }),
  ],
  [
    'Hono elsewhere',
    async (verifier) => {
      const app = new Hono<{ Variables: { credence: Verified } }>()
      app.use('/a2a', guardHono(verifier, NEEDS))
      app.post('/a2a', (c) => c.body(ticking()))
      return async (headers) => app.fetch(new Request(`${PUBLIC}/a2a`, { method: 'POST', headers }))
    },
  ],
  [
    'fetch',
    async (verifier) => {
      const handle = guardFetch(verifier, NEEDS, () => new Response(ticking()))
      return (headers) => handle(new Request(`${PUBLIC}/a2a`, { method: 'POST', headers }))
    },
  ],
]

/** Reads events until the response ends. Resolves to how it ended, and when, in milliseconds of monotonic time. */
async function readToEnd(response: Response): Promise<{ how: string; atMs: number; events: number }> {
  let events = 0
  let how = 'complete'
  try {
    for await (const _ of response.body ?? []) events++
  } catch {
    how = 'cut off'
  }
  return { how, atMs: awakeMs(), events }
}
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe.each(GUARDS)('an open response behind the guard for %s', (_name, start) => {
  test('is cut off within the maximum staleness after its task has ended, and others go on', async () => {
    const send = await start(newVerifier())
    const { taskId } = await pair.planner.tasks.create({ description: 'x' })
    const [ended, other] = [await send(await headersFor({ taskId })), await send(await headersFor())]
    expect([ended.status, other.status]).toEqual([200, 200])
    const [reading, otherReading] = [readToEnd(ended), readToEnd(other)]
    await pause(1.2 * MAX_STALENESS_MS)
    await pair.planner.tasks.end(taskId)
    const acknowledgedAt = awakeMs()
    const { how, atMs, events } = await reading
    expect(how).toBe('cut off')
    expect(events).toBeGreaterThan(20)
    expect(atMs - acknowledgedAt).toBeLessThan(MAX_STALENESS_MS + SLACK_MS)
    expect(await Promise.race([otherReading, pause(200).then(() => 'open')])).toBe('open')
  })
})

test.each(
  [GUARDS[0], GUARDS.at(-1)].flatMap((row) => (row ? [row] : [])),
)('an open response behind the guard for %s is cut off within the maximum staleness when the connection to the registry has died without a sign', async (_name, start) => {
  const send = await start(newVerifier())
  const reading = readToEnd(await send(await headersFor()))
  await pause(500)
  proxy.swallow()
  const swallowedAt = awakeMs()
  const { how, atMs } = await reading
  expect(how).toBe('cut off')
  expect(atMs - swallowedAt).toBeLessThan(MAX_STALENESS_MS + SLACK_MS)
  await expect.poll(() => feed.sync().then(() => 'fresh', String)).toBe('fresh')
})

test.each(GUARDS)('an open response behind the guard for %s is cut off when the token expires', async (_name, start) => {
  const own = runningClock()
  const verifier = newVerifier({ clock: own, maxStalenessMs: 10_000 })
  const reading = readToEnd(await (await start(verifier))(await headersFor()))
  await pause(200)
  // The token lives for 300 s. Only the wall clock moves: the standing is as fresh as before.
  own.step(290)
  expect(await Promise.race([reading, pause(300).then(() => 'open')])).toBe('open')
  own.step(11)
  const movedAt = awakeMs()
  const { how, atMs } = await reading
  expect([how, atMs - movedAt < SLACK_MS]).toEqual(['cut off', true])
})

test('with introspection an open response is cut off within the maximum staleness of a revocation, and if introspection fails', async () => {
  let isDown = false
  const revoked = new Set<string>()
  const introspect = async (token: string) => {
    if (isDown) return new Promise<never>(() => {})
    return { active: !revoked.has(token) }
  }
  const handle = guardFetch(newVerifier({ standing: { introspect } }), NEEDS, () => new Response(ticking()))
  for (const end of ['revoked', 'unreachable']) {
    const headers = await headersFor()
    const reading = readToEnd(await handle(new Request(`${PUBLIC}/a2a`, { method: 'POST', headers })))
    expect(await Promise.race([reading, pause(2 * MAX_STALENESS_MS).then(() => 'open')])).toBe('open')
    if (end === 'revoked') revoked.add(headers.authorization.slice('DPoP '.length))
    else isDown = true
    const endedAt = awakeMs()
    const { how, atMs } = await reading
    expect([end, how]).toEqual([end, 'cut off'])
    expect(atMs - endedAt).toBeLessThan(MAX_STALENESS_MS + SLACK_MS)
  }
})

test('with a live feed an open response is cut off at the next check, long before its confirmation is too old', async () => {
  const handle = guardFetch(newVerifier({ maxStalenessMs: 10_000 }), NEEDS, () => new Response(ticking()))
  const { taskId } = await pair.planner.tasks.create({ description: 'x' })
  // Otherwise the confirmation could be as old as the last test that synced
  await feed.sync()
  const reading = readToEnd(await handle(new Request(`${PUBLIC}/a2a`, { method: 'POST', headers: await headersFor({ taskId }) })))
  await pair.planner.tasks.end(taskId)
  const acknowledgedAt = awakeMs()
  const { how, atMs } = await reading
  expect([how, atMs - acknowledgedAt < MAX_STALENESS_MS]).toEqual(['cut off', true])
})

test('a handler behind guardFetch that has not responded when its task ends is answered with 401', async () => {
  const handle = guardFetch(newVerifier(), NEEDS, () => new Promise<Response>(() => {}))
  const { taskId } = await pair.planner.tasks.create({ description: 'x' })
  const responded = handle(new Request(`${PUBLIC}/a2a`, { method: 'POST', headers: await headersFor({ taskId }) }))
  await pause(100)
  await pair.planner.tasks.end(taskId)
  expect((await responded).status).toBe(401)
})

test('complete responses, failed handlers and callers that hang up leave no watch behind', async () => {
  let watched = 0
  const verifier = newVerifier({ maxStalenessMs: 10_000 })
  const counting: Verifier = {
    ...verifier,
    watch: (verified, onInvalid) => {
      const stop = verifier.watch(verified, onInvalid)
      let isOpen = true
      watched++
      return () => {
        if (isOpen) watched--
        isOpen = false
        stop()
      }
    },
  }
  const request = async () => new Request(`${PUBLIC}/a2a`, { method: 'POST', headers: await headersFor() })
  const answers: (() => Response | Promise<Response>)[] = [
    () => new Response('done'),
    () => new Response(null, { status: 204 }),
    () => Promise.reject(new Error('no')),
  ]
  for (const answer of answers)
    await guardFetch(
      counting,
      NEEDS,
      answer,
    )(await request())
      .then((response) => response.text())
      .catch(() => '')
  await (await guardFetch(counting, NEEDS, () => new Response(ticking()))(await request())).body?.cancel()
  const protect = guard(counting, NEEDS)
  const url = await urlOf(createServer((incoming, response) => protect(incoming, response, () => response.end('done'))))
  await (await fetch(url, { method: 'POST', headers: await headersFor() })).text()
  const hangUp = new AbortController()
  const endless = await urlOf(createServer((incoming, response) => protect(incoming, response, () => tickInto(response))))
  await fetch(endless, { method: 'POST', headers: await headersFor(), signal: hangUp.signal })
  expect(watched).toBe(1)
  hangUp.abort()
  await expect.poll(() => watched).toBe(0)
})

test('a request that hung up before it was verified is not watched', async () => {
  const verifier = newVerifier({ maxStalenessMs: 10_000 })
  let watched = 0
  const request = { method: 'POST', url: '/a2a', headers: await headersFor() }
  const response = { closed: true, once: () => {}, writeHead: () => ({ end: () => {} }) }
  await guard({ ...verifier, watch: () => () => watched++ }, NEEDS)(request, response, () => {})
  expect(watched).toBe(0)
  await introduce(pair.planner, pair.ocr)
})
