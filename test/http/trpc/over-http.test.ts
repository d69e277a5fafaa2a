import { expect, test } from 'vitest'
import { z } from 'zod'
import type { TokenCaller } from '../../../src/http/caller.js'
import { QUEUES } from '../../../src/http/limits/request-queues.js'
import { trpcOverHttp } from '../../../src/http/trpc/over-http.js'
import { publicProcedure, router, type TrpcContext } from '../../../src/http/trpc/procedures.js'
import { blockingServer, get } from '../blocking-server.js'

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

test('a subscription over HTTP gets 405, alone and in a batch, and takes no slot', async () => {
  let started = 0
  const routes = router({
    some: router({
      watch: publicProcedure.input(z.unknown()).subscription(async function* () {
        started++
        yield await new Promise<never>(() => {})
      }),
      query: publicProcedure.query(() => 'done'),
    }),
  })
  await using server = await blockingServer({ trpc: trpcOverHttp({ router: routes, createContext: context }) })
  for (let i = 0; i <= QUEUES.unverified.slots; i++)
    for (const path of ['some.watch', 'some.query,some.watch?batch=1&input={}']) {
      const response = await server.fetch(`/trpc/${path}`)
      expect([response.status, (await response.json()).error.data.reason]).toEqual([405, 'method_not_allowed'])
    }
  const posted = await server.fetch('/trpc/some.watch', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
  expect(posted.status).toBe(405)
  expect(started).toBe(0)
  expect(await (await server.fetch('/trpc/some.query')).json()).toEqual({ result: { data: 'done' } })
})

test('the signal of a call aborts when its caller disconnects', async () => {
  let start: () => void = () => undefined
  const started = new Promise<void>((resolve) => {
    start = resolve
  })
  let abort: () => void = () => undefined
  const aborted = new Promise<void>((resolve) => {
    abort = resolve
  })
  const routes = router({
    some: router({
      wait: publicProcedure.query(async ({ signal }) => {
        start()
        await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()))
        abort()
      }),
    }),
  })
  await using server = await blockingServer({ trpc: trpcOverHttp({ router: routes, createContext: context }) })
  const socket = await server.send(get('/trpc/some.wait'))
  await started
  socket.destroy()
  await aborted
})

test('an input of more than 64 KiB is read only for procedures that say so, and parsed only once the caller is authenticated', async () => {
  let caller: TokenCaller | undefined
  const routes = router({
    some: router({
      small: publicProcedure.input(z.string()).mutation(({ input }) => input.length),
      large: publicProcedure
        .meta({ isLarge: true })
        .input(z.string())
        .mutation(({ input }) => input.length),
    }),
  })
  const createContext = () => ({ ...context(), findCaller: async () => caller })
  await using server = await blockingServer({ trpc: trpcOverHttp({ router: routes, createContext }) })
  const post = async (path: string, body: string) => {
    const response = await server.fetch(`/trpc/${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    const { error, result } = await response.json()
    return [response.status, typeof error === 'string' ? error : (error?.data.reason ?? result.data)]
  }
  const large = JSON.stringify('a'.repeat(100_000))
  expect(await post('some.small', large)).toEqual([413, 'body_too_large'])
  expect(await post('some.large', large)).toEqual([401, 'invalid_token'])
  expect(await post('some.large', 'no JSON'.repeat(10_000))).toEqual([401, 'invalid_token'])
  expect(await post('some.large', '"a"')).toEqual([200, 1])
  caller = { scopes: [] } as unknown as TokenCaller // no procedure reads it
  expect(await post('some.large', large)).toEqual([200, 100_000])
  expect(await post('some.large', 'no JSON'.repeat(10_000))).toEqual([400, 'bad_input'])
  expect(await post('some.large', JSON.stringify('a'.repeat(1_048_576)))).toEqual([413, 'body_too_large'])
})
