// Webhooks: the messages of an organisation reach its URL, signed as Standard Webhooks say, once for two instances, and again after a failure.
import { createPublicKey, verify } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RETRY_SECONDS } from '../../../src/delegation/webhooks/deliveries.js'
import { WEBHOOK_DELIVERIES } from '../../../src/delegation/webhooks/store.js'
import { eventually } from '../../eventually.js'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../../registry.js'
import { aPublishedAgent, reasonOf } from '../../stories/actors.js'

interface Message {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

let registry: Registry
let acme: Actor
let ocr: AgentActor
let planner: AgentActor
let received: Message[] = []
/** Status by path; default 204. */
let statuses: Record<string, number> = {}
const server = createServer((request, response) => {
  let body = ''
  request.setEncoding('utf8').on('data', (chunk: string) => {
    body += chunk
  })
  request.on('end', () => {
    const path = request.url ?? ''
    received.push({ path, headers: request.headers, body })
    const status = statuses[path] ?? 204
    response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end()
  })
})
let origin: string

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  ocr = await aPublishedAgent(registry, { registeredBy: acme })
  const globex = await registry.organisation('Globex')
  planner = await registry.agent({ registeredBy: globex, ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] } })
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await new Promise((resolve) => server.close(resolve))
})

const set = (path: string, more: object = {}) =>
  acme.mutate<{ webhookId: string; state: string }>('webhooks.set', { url: `${origin}${path}`, ...more })
const list = async () =>
  (await acme.query<{ items: { webhookId: string; url: string; state: string; failingSince?: number }[] }>('webhooks.list')).items
const removeAll = async () => {
  for (const { webhookId } of await list()) await acme.mutate('webhooks.remove', { webhookId })
  received = []
  statuses = {}
}
const ask = () => planner.introductions.request({ to: ocr.agentId, purpose: 'secret purpose', scopes: ['ocr:read'] })
/** Moves the clock second by second until the messages are there: each round of delivery waits for the clock. */
const until = (condition: () => boolean | Promise<boolean>) =>
  eventually(async () => {
    const isTrue = await condition()
    if (!isTrue) registry.clock.advance(1)
    expect(isTrue).toBe(true)
  })

test('AUD-07 a request reaches the webhook of the asked organisation once, with ids, kind and time only, and a signature of the registry', async () => {
  await removeAll()
  await set('/hook')
  const { introductionId } = await ask()
  await until(() => received.length > 0)
  registry.clock.advance(30)
  const [message] = received
  if (!message) throw new Error('no message')
  expect(message.headers['content-type']).toBe('application/json')
  expect(JSON.parse(message.body)).toEqual({
    type: 'introduction.requested',
    timestamp: expect.stringMatching(/^20\d\d-.*Z$/),
    data: { introductionId, from: planner.agentId, to: ocr.agentId, organizationId: acme.orgId },
  })
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = message.headers
  const { keys } = (await (await registry.fetch('/.well-known/jwks.json')).json()) as {
    keys: { credence_use: string; kty: string; crv: string; x: string }[]
  }
  const jwk = keys.find(({ credence_use }) => credence_use === 'webhook')
  if (!jwk) throw new Error('the JWKS has no key of webhooks')
  const key = createPublicKey({ key: { kty: jwk.kty, crv: jwk.crv, x: jwk.x }, format: 'jwk' })
  const [version, base64 = ''] = String(signature).split(',')
  expect(version).toBe('v1a')
  const isSigned = (body: string) => verify(null, Buffer.from(`${id}.${timestamp}.${body}`), key, Buffer.from(base64, 'base64'))
  expect(isSigned(message.body)).toBe(true)
  expect(isSigned(message.body.replace('requested', 'granted'))).toBe(false)
  // The receiver is asked once, although two instances deliver
  await acme.introductions.deny(introductionId)
  await ask()
  await until(() => received.length >= 2)
  expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(received.length)
})

test('only the chosen events are sent, and a removed webhook gets none', async () => {
  await removeAll()
  const { webhookId } = await set('/none', { events: ['approval.requested'] })
  await set('/all')
  await ask()
  await until(() => received.length > 0)
  expect(received.map(({ path }) => path)).toEqual(['/all'])
  await acme.mutate('webhooks.remove', { webhookId })
  expect((await list()).map(({ url }) => url)).toEqual([`${origin}/all`])
  expect(await reasonOf(acme.mutate('webhooks.remove', { webhookId }))).toBe('not_found')
})

test('a failed message is sent again after the listed times with the same id; after the last failure the webhook is off until it is set again', async () => {
  await removeAll()
  statuses = { '/down': 500 }
  await set('/down')
  await ask()
  await until(() => received.length === 1)
  expect((await list())[0]?.failingSince).toBeDefined()
  for (const [i, seconds] of RETRY_SECONDS.entries()) {
    registry.clock.advance(seconds)
    await until(() => received.length === i + 2)
  }
  const times = received.map(({ headers }) => Number(headers['webhook-timestamp']))
  for (const [i, seconds] of RETRY_SECONDS.entries()) expect((times[i + 1] ?? 0) - (times[i] ?? 0)).toBeGreaterThanOrEqual(seconds)
  expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  await until(async () => (await list())[0]?.state === 'off')
  await ask()
  statuses = {}
  expect(await set('/down')).toMatchObject({ state: 'on' })
  const { introductionId } = await ask()
  await until(() => received.length > RETRY_SECONDS.length + 1)
  expect(received.at(-1)?.body).toContain(introductionId)
  expect(received).toHaveLength(RETRY_SECONDS.length + 2)
})

test('a message that a crashed instance has claimed is sent by another one after a minute', async () => {
  await removeAll()
  await set('/claimed')
  await ask()
  const deliveries = registry.storage.collection(WEBHOOK_DELIVERIES)
  const { items } = await deliveries.find('due', { where: {}, limit: 1 })
  const [waiting] = items
  if (!waiting) throw new Error('no message waits')
  await deliveries.change(waiting.id, { dueAt: waiting.dueAt }, { dueAt: registry.clock.now() + 60, attempts: 1 })
  for (let i = 0; i < 50; i++) registry.clock.advance(1)
  expect(received).toEqual([])
  await until(() => received.length > 0)
  expect(received[0]?.headers['webhook-id']).toBe(waiting.id)
})

test('a redirect is not followed', async () => {
  await removeAll()
  statuses = { '/moved': 302 }
  await set('/moved')
  await ask()
  await until(() => received.length > 0)
  expect(received.map(({ path }) => path)).toEqual(['/moved'])
})

test('an organisation has at most eight webhooks, one for each URL, and only URLs that the registry may call', async () => {
  await removeAll()
  await Promise.all(Array.from({ length: 20 }, (_, i) => set(`/hook-${i % 9}`).catch(() => undefined)))
  expect(await list()).toHaveLength(8)
  expect(new Set((await list()).map(({ url }) => url)).size).toBe(8)
  expect(await reasonOf(set('/one-more'))).toBe('conflict')
  for (const url of [
    'http://10.0.0.1/x',
    'https://169.254.169.254/latest',
    'https://a:b@hooks.example/',
    'ftp://hooks.example/x',
    registry.issuer,
  ])
    expect(await reasonOf(acme.mutate('webhooks.set', { url }))).toBe('url_not_allowed')
  expect(await reasonOf(ocr.mutate('webhooks.set', { url: origin }))).toBe('forbidden')
})
