import { expect, test } from 'vitest'
import { blockingServer } from './blocking-server.js'

test.each([
  ['GET'],
  ['POST'],
])('a %s request that takes longer than responseTimeoutMs gets 503 with Retry-After, and the server continues to serve', async (method) => {
  const never = new Promise<never>(() => undefined)
  await using server = await blockingServer({ responseTimeoutMs: 50, trpc: { serve: () => never, maxBodyBytes: () => 1000 } })
  const body = method === 'POST' ? '{}' : null
  const response = await server.fetch('/trpc/some.thing', { method, body, headers: { 'content-type': 'application/json' } })
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
  expect(await response.json()).toMatchObject({ error: 'unavailable' })
  expect((await server.fetch('/quick')).status).toBe(200)
})
