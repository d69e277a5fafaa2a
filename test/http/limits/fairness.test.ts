import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Refusal } from '../../../src/errors.js'
import { newConcurrencyLimit } from '../../../src/http/limits/concurrency-limit.js'
import { JWT_BEARER } from '../../../src/oauth/client-auth/client-auth.js'
import { startRegistry } from '../../registry.js'
import { setClock } from '../../set-clock.js'

const connected = () => true
const reasonOf = (error: unknown): string => (error instanceof Refusal ? error.reason : String(error))

test('callers take turns, whatever the number of requests that one of them sends', async () => {
  const limit = newConcurrencyLimit({ slots: 2, waiting: 8 })
  const order: string[] = []
  const run = (key: string) => limit.run(key, connected, async () => order.push(key) && setImmediate())
  await Promise.all([...Array.from({ length: 5 }, () => run('many')), run('one'), run('other')])
  expect(order.indexOf('one')).toBeLessThan(3)
  expect(order.indexOf('other')).toBeLessThan(4)
})

test('a caller holds at most half of the slots, and a newcomer gets a free one', async () => {
  const limit = newConcurrencyLimit({ slots: 8, waiting: 8 })
  let greedy = 0
  for (let i = 0; i < 8; i++) void limit.enter('greedy', connected).then(() => greedy++)
  await setImmediate()
  expect(greedy).toBe(4)
  await limit.enter('newcomer', connected)
})

test('in a full queue the caller that waits with the most requests makes room', async () => {
  const limit = newConcurrencyLimit({ slots: 2, waiting: 3 })
  await limit.enter('greedy', connected)
  const refused: string[] = []
  for (let i = 0; i < 3; i++) limit.enter('greedy', connected).catch((error) => refused.push(reasonOf(error)))
  expect(reasonOf(limit.refusalFor('greedy'))).toBe('rate_limited')
  await limit.enter('second', connected)
  const third = limit.enter('third', connected)
  await setImmediate()
  expect(refused).toEqual(['rate_limited'])
  void third
})

test('if every caller waits with one request, a newcomer is told that the registry is busy', async () => {
  const limit = newConcurrencyLimit({ slots: 2, waiting: 2 })
  for (const key of ['a', 'b']) await limit.enter(key, connected)
  for (const key of ['c', 'd']) void limit.enter(key, connected)
  expect(reasonOf(limit.refusalFor('e'))).toBe('unavailable')
  expect(reasonOf(limit.refusalFor('c'))).toBe('rate_limited')
})

/** Sends a request from an address of the loopback network. */
const send = (
  { issuer, path, from, agent }: { issuer: string; path: string; from: string; agent?: Agent },
  form?: Readonly<Record<string, string>>,
) =>
  new Promise<{ status: number; headers: IncomingHttpHeaders }>((resolve, reject) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-forwarded-for': from }
    request(issuer + path, { method: form ? 'POST' : 'GET', headers, agent }, (response) => {
      response.resume()
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }))
    })
      .on('error', reject)
      .end(form && String(new URLSearchParams(form)))
  })

test('an address that floods the token endpoint with bad assertions gets 429, and all requests of others are served', async () => {
  await using registry = await startRegistry({ limits: 'on', clock: setClock(), servers: 1, trustedProxies: ['127.0.0.1'] })
  const agent = await registry.agent()
  const { issuer } = registry
  const flooding = new Agent({ keepAlive: true, maxSockets: 100 })
  const bad = { grant_type: 'client_credentials', client_assertion_type: JWT_BEARER, client_assertion: 'a.b.c' }
  let isOver = false
  const statuses = new Map<number, number>()
  const limited: IncomingHttpHeaders[] = []
  const flood = Array.from({ length: 100 }, async () => {
    while (!isOver) {
      const { status, headers } = await send({ issuer, path: '/oauth/token', from: '192.0.2.1', agent: flooding }, bad)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (status === 429) limited.push(headers)
    }
  })
  try {
    for (let i = 0; i < 10; i++) {
      expect((await send({ issuer, path: '/.well-known/jwks.json', from: '192.0.2.1' })).status).toBe(200)
      await expect(registry.as(agent).query('tasks.list')).resolves.toBeDefined()
    }
  } finally {
    isOver = true
    await Promise.all(flood)
    flooding.destroy()
  }
  expect([...statuses.keys()].sort()).toEqual([401, 429])
  // The clock of the rate stands still
  expect(statuses.get(401)).toBe(80)
  expect(limited[0]).toMatchObject({
    'retry-after': '1',
    ratelimit: '"unverified-credentials";r=0;t=1',
    'ratelimit-policy': '"unverified-credentials";q=80;w=4',
  })
})
