import { expect, test } from 'vitest'
import { z } from 'zod'
import { MAX_WORKING } from '../../../src/http/concurrency-limit.js'
import { trpcOverHttp } from '../../../src/http/trpc/over-http.js'
import { publicProcedure, router, type TrpcContext } from '../../../src/http/trpc/procedures.js'
import { blockingServer, get } from '../blocking-server.js'

const context = (): TrpcContext => ({
  requestId: 'req_x',
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
  for (let i = 0; i <= MAX_WORKING; i++)
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
