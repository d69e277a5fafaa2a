import { expect, test } from 'vitest'
import { heldServer } from '../http/held-server.js'

test.each([['GET'], ['POST']])('%s: what is not answered in time is answered 503, and says when to come back', async (method) => {
  const never = new Promise<never>(() => undefined)
  await using server = await heldServer({ answerMs: 50, trpc: () => never })
  const body = method === 'POST' ? '{}' : null
  const answer = await server.fetch('/trpc/some.thing', { method, body, headers: { 'content-type': 'application/json' } })
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
  expect(await answer.json()).toMatchObject({ error: 'unavailable' })
  expect((await server.fetch('/quick')).status).toBe(200)
})
