import { expect, test } from 'vitest'
import { z } from 'zod'
import { MAX_WORKING } from '../../../src/http/concurrency-limit.js'
import { trpcOverHttp } from '../../../src/http/trpc/over-http.js'
import { openProcedure, router, type TrpcContext } from '../../../src/http/trpc/procedures.js'
import { get, heldServer } from '../held-server.js'

const context = (): TrpcContext => ({
  requestId: 'req_x',
  findCaller: async () => undefined,
  alive: () => new AbortController().signal,
  onRefusal: async () => {},
  onBug: () => {},
})

test('a subscription is refused, in a batch too, before it takes anybody’s place', async () => {
  let begun = 0
  const routes = router({
    some: router({
      watch: openProcedure.input(z.unknown()).subscription(async function* () {
        begun++
        yield await new Promise<never>(() => {})
      }),
      query: openProcedure.query(() => 'done'),
    }),
  })
  await using server = await heldServer({ trpc: trpcOverHttp({ router: routes, createContext: context }) })
  for (let i = 0; i <= MAX_WORKING; i++)
    for (const path of ['some.watch', 'some.query,some.watch?batch=1&input={}']) {
      const answer = await server.fetch(`/trpc/${path}`)
      expect([answer.status, (await answer.json()).error.data.reason]).toEqual([405, 'method_not_allowed'])
    }
  const posted = await server.fetch('/trpc/some.watch', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
  expect(posted.status).toBe(405)
  expect(begun).toBe(0)
  expect(await (await server.fetch('/trpc/some.query')).json()).toEqual({ result: { data: 'done' } })
})

test('a call is told when its caller hangs up', async () => {
  let asked: () => void = () => undefined
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve
  })
  let told: () => void = () => undefined
  const isTold = new Promise<void>((resolve) => {
    told = resolve
  })
  const routes = router({
    some: router({
      wait: openProcedure.query(async ({ signal }) => {
        asked()
        await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()))
        told()
      }),
    }),
  })
  await using server = await heldServer({ trpc: trpcOverHttp({ router: routes, createContext: context }) })
  const socket = await server.send(get('/trpc/some.wait'))
  await isAsked
  socket.destroy()
  await isTold
})
