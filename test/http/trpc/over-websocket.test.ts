import { once } from 'node:events'
import { expect, test } from 'vitest'
import WebSocket from 'ws'
import type { Caller } from '../../../src/http/caller.js'
import { MAX_WAITING, MAX_WORKING } from '../../../src/http/concurrency-limit.js'
import { MAX_BATCH } from '../../../src/http/trpc/over-http.js'
import { MAX_CALLS, trpcOverWebSocket } from '../../../src/http/trpc/over-websocket.js'
import { openProcedure, router, type TrpcContext } from '../../../src/http/trpc/procedures.js'
import { serveUpgrades } from '../../../src/http/websocket.js'
import { silentLog } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import { heldServer } from '../held-server.js'

interface Answer {
  readonly id: number
  readonly result?: object
  readonly error?: { readonly data: { readonly reason: string } }
}

const caller = { scopes: [] } as unknown as Caller // nobody in particular: these procedures ask for none

/** `some.held` waits until it is let go, `some.quick` does not. */
async function socketServer() {
  const server = await heldServer()
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const seen = { begun: 0, quick: 0 }
  let full: () => void = () => undefined
  const isFull = new Promise<void>((resolve) => {
    full = resolve
  })
  const routes = router({
    some: router({
      held: openProcedure.query(async () => {
        if (++seen.begun === MAX_WORKING) full()
        await held
      }),
      quick: openProcedure.query(() => ++seen.quick),
    }),
  })
  const context = (): TrpcContext => ({
    requestId: 'req_x',
    findCaller: async () => undefined,
    alive: () => new AbortController().signal,
    onRefusal: async () => {},
    onBug: () => {},
  })
  const { admission } = server.http
  const ws = trpcOverWebSocket({ router: routes, createContext: context, admission, alive: context().alive, onBug: () => {} })
  const upgrades = serveUpgrades(server.http.server, {
    issuer: 'http://127.0.0.1',
    handlers: [ws],
    origins: [],
    trustedProxies: [],
    authenticate: async () => caller,
    redeemTicket: async () => undefined,
    random: systemRandom,
    log: silentLog,
  })
  const answers: Answer[] = []
  const watchers = new Set<() => void>()
  return {
    seen,
    release,
    /** As much is worked on as may be. */
    isFull,
    fetch: server.fetch,
    open: async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${server.http.port}/trpc`)
      socket.on('message', (data) => {
        answers.push(JSON.parse(String(data)))
        for (const watcher of watchers) watcher()
      })
      await once(socket, 'open')
      return (path: string, ids: readonly number[]) => {
        const calls = ids.map((id) => ({ id, method: 'query', params: { path } }))
        socket.send(JSON.stringify(calls.length === 1 ? calls[0] : calls))
      }
    },
    /** So many answers for which this holds. */
    answered: (count: number, is: (answer: Answer) => boolean = () => true) =>
      new Promise<Answer[]>((resolve) => {
        const watcher = () => {
          const found = answers.filter(is)
          if (found.length < count) return
          watchers.delete(watcher)
          resolve(found)
        }
        watchers.add(watcher)
        watcher()
      }),
    [Symbol.asyncDispose]: async () => {
      release()
      upgrades.close()
      await server[Symbol.asyncDispose]()
    },
  }
}
const ids = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)
const refusedFor =
  (reason: string) =>
  ({ error }: Answer): boolean =>
    error?.data.reason === reason

test('a frame has as many calls as a batch over HTTP; of a larger one none is done', async () => {
  await using server = await socketServer()
  const call = await server.open()
  call('some.quick', ids(MAX_BATCH + 1))
  const refused = await server.answered(MAX_BATCH + 1)
  expect(refused.every(refusedFor('batch_too_large'))).toBe(true)
  expect(refused.map(({ id }) => id)).toEqual(ids(MAX_BATCH + 1))
  expect(server.seen.quick).toBe(0)
  call('some.quick', ids(MAX_BATCH))
  await server.answered(MAX_BATCH, ({ result }) => result !== undefined)
  expect(server.seen.quick).toBe(MAX_BATCH)
})

test('a socket has so many calls under way; more are refused, and those go on', async () => {
  await using server = await socketServer()
  const call = await server.open()
  for (const id of ids(MAX_CALLS + 5)) call('some.held', [id])
  const refused = await server.answered(5)
  expect(refused.every(refusedFor('rate_limited'))).toBe(true)
  server.release()
  await server.answered(MAX_CALLS, ({ result }) => result !== undefined)
  expect(server.seen.begun).toBe(MAX_CALLS)
  call('some.quick', [1])
  await server.answered(MAX_CALLS + 1, ({ result }) => result !== undefined)
})

test('calls over sockets wait in the same queue as requests', async () => {
  await using server = await socketServer()
  const fill = async (sockets: number) => {
    for (const call of await Promise.all(ids(sockets).map(() => server.open()))) for (const id of ids(MAX_CALLS)) call('some.held', [id])
  }
  await fill(MAX_WORKING / MAX_CALLS)
  await server.isFull
  // One socket more than there are places for: when its calls are turned away, all places are taken.
  await fill(MAX_WAITING / MAX_CALLS + 1)
  await server.answered(MAX_CALLS, refusedFor('unavailable'))
  expect((await server.fetch('/quick')).status).toBe(503)
  server.release()
  await server.answered(MAX_WORKING + MAX_WAITING, ({ result }) => result !== undefined)
  expect((await server.fetch('/quick')).status).toBe(200)
})
