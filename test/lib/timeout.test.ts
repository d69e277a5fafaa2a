import { expect, test } from 'vitest'
import { blockingServer } from '../http/blocking-server.js'

test.each([['GET'], ['POST']])('a %s that takes too long gets 503 with Retry-After, and the server goes on serving', async (method) => {
  const never = new Promise<never>(() => undefined)
  await using server = await blockingServer({ responseTimeoutMs: 50, trpc: () => never })
  const body = method === 'POST' ? '{}' : null
  const response = await server.fetch('/trpc/some.thing', { method, body, headers: { 'content-type': 'application/json' } })
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
  expect(await response.json()).toMatchObject({ error: 'unavailable' })
  expect((await server.fetch('/quick')).status).toBe(200)
})
