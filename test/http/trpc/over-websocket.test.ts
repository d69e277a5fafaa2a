import { once } from 'node:events'
import { expect, test } from 'vitest'
import WebSocket from 'ws'
import type { TokenCaller } from '../../../src/http/caller.js'
import { QUEUES } from '../../../src/http/limits/request-queues.js'
import { MAX_BATCH } from '../../../src/http/trpc/over-http.js'
import { MAX_CALLS, trpcOverWebSocket } from '../../../src/http/trpc/over-websocket.js'
import { publicProcedure, router, type TrpcContext } from '../../../src/http/trpc/procedures.js'
import { serveUpgrades } from '../../../src/http/websocket.js'
import { systemClock } from '../../../src/lib/clock.js'
import { silentLog } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import { blockingServer } from '../blocking-server.js'

interface Response {
  readonly id: number
  readonly result?: object
  readonly error?: { readonly data: { readonly reason: string } }
}

/** A single client gets half of the slots. */
const MAX_WORKING = QUEUES.clients.slots / 2
const MAX_WAITING = QUEUES.clients.waiting

const caller = { id: 'agt_x', orgId: 'org_x', scopes: [] } as unknown as TokenCaller // the procedures of this file do not read the caller

/** A server whose `some.blocked` responds after `release()`, and whose `some.quick` responds at once. */
async function socketServer() {
  const server = await blockingServer()
  let release: () => void = () => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const counts = { started: 0, quick: 0 }
  let full: () => void = () => undefined
  const isFull = new Promise<void>((resolve) => {
    full = resolve
  })
  const routes = router({
    some: router({
      blocked: publicProcedure.query(async () => {
        if (++counts.started === MAX_WORKING) full()
        await released
      }),
      quick: publicProcedure.query(() => ++counts.quick),
    }),
  })
  const context = (): TrpcContext => ({
    requestId: 'req_x',
    address: '127.0.0.1',
    requireCreationRate: async () => {},
    requireStillStanding: async () => {},
    findCaller: async () => undefined,
    revocationSignal: () => new AbortController().signal,
    onRefusal: async () => {},
    onBug: () => {},
  })
  const ws = trpcOverWebSocket({
    router: routes,
    createContext: context,
    concurrencyLimit: server.http.queues.clients,
    revocationSignal: context().revocationSignal,
    onBug: () => {},
  })
  const upgrades = serveUpgrades(server.http.server, {
    issuer: 'http://127.0.0.1',
    handlers: [ws],
    origins: [],
    trustedProxies: [],
    authenticate: async () => caller,
    redeemTicket: async () => undefined,
    queues: server.http.queues,
    connections: server.http.connections,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  })
  const responses: Response[] = []
  const watchers = new Set<() => void>()
  return {
    counts,
    release,
    /** Resolves once MAX_WORKING calls run. */
    isFull,
    fetch: server.fetch,
    open: async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${server.http.port}/trpc`)
      socket.on('message', (data) => {
        responses.push(JSON.parse(String(data)))
        for (const watcher of watchers) watcher()
      })
      await once(socket, 'open')
      return (path: string, ids: readonly number[]) => {
        const calls = ids.map((id) => ({ id, method: 'query', params: { path } }))
        socket.send(JSON.stringify(calls.length === 1 ? calls[0] : calls))
      }
    },
    /** Resolves once `count` responses match. */
    received: (count: number, matches: (response: Response) => boolean = () => true) =>
      new Promise<Response[]>((resolve) => {
        const watcher = () => {
          const found = responses.filter(matches)
          if (found.length < count) return
          watchers.delete(watcher)
          resolve(found)
        }
        watchers.add(watcher)
        watcher()
      }),
    [Symbol.asyncDispose]: async () => {
      release()
      upgrades.reconnectElsewhere()
      await server[Symbol.asyncDispose]()
    },
  }
}
const ids = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)
const refusedFor =
  (reason: string) =>
  ({ error }: Response): boolean =>
    error?.data.reason === reason

test('a frame may have as many calls as an HTTP batch, and of a larger one no call runs', async () => {
  await using server = await socketServer()
  const call = await server.open()
  call('some.quick', ids(MAX_BATCH + 1))
  const refused = await server.received(MAX_BATCH + 1)
  expect(refused.every(refusedFor('batch_too_large'))).toBe(true)
  expect(refused.map(({ id }) => id)).toEqual(ids(MAX_BATCH + 1))
  expect(server.counts.quick).toBe(0)
  call('some.quick', ids(MAX_BATCH))
  await server.received(MAX_BATCH, ({ result }) => result !== undefined)
  expect(server.counts.quick).toBe(MAX_BATCH)
})

test('a socket past its maximum of concurrent calls gets rate_limited, and its running calls complete', async () => {
  await using server = await socketServer()
  const call = await server.open()
  for (const id of ids(MAX_CALLS + 5)) call('some.blocked', [id])
  const refused = await server.received(5)
  expect(refused.every(refusedFor('rate_limited'))).toBe(true)
  server.release()
  await server.received(MAX_CALLS, ({ result }) => result !== undefined)
  expect(server.counts.started).toBe(MAX_CALLS)
  call('some.quick', [1])
  await server.received(MAX_CALLS + 1, ({ result }) => result !== undefined)
})

test('a client that fills its share with calls over many sockets gets rate_limited, and public requests are served', async () => {
  await using server = await socketServer()
  const fill = async (sockets: number) => {
    for (const call of await Promise.all(ids(sockets).map(() => server.open()))) for (const id of ids(MAX_CALLS)) call('some.blocked', [id])
  }
  await fill(MAX_WORKING / MAX_CALLS)
  await server.isFull
  // The calls of one socket more than may wait: once they are refused, the queue is full
  await fill(MAX_WAITING / MAX_CALLS + 1)
  await server.received(MAX_CALLS, refusedFor('rate_limited'))
  expect((await server.fetch('/quick')).status).toBe(200)
  server.release()
  await server.received(MAX_WORKING + MAX_WAITING, ({ result }) => result !== undefined)
  expect((await server.fetch('/quick')).status).toBe(200)
})
