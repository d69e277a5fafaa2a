// The links of @trpc/client, as its users write them.
import { on, once } from 'node:events'
import {
  createTRPCClient,
  createWSClient,
  httpBatchLink,
  httpBatchStreamLink,
  httpLink,
  retryLink,
  splitLink,
  type TRPCLink,
  wsLink,
} from '@trpc/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import type { AppRouter } from '../../../src/server/router.js'
import { proofOf } from '../../oauth/requests.js'
import { type AgentActor, type Registry, startRegistry } from '../../registry.js'

let registry: Registry
let agent: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  agent = await registry.agent()
})
afterAll(() => registry[Symbol.asyncDispose]())

const clientOf = (...links: TRPCLink<AppRouter>[]) => createTRPCClient<AppRouter>({ links })
const url = () => `${registry.issuer}/trpc`
const headersFor = async (htm: string, path: string) => {
  const { accessToken } = await agent.token()
  return { authorization: `DPoP ${accessToken}`, dpop: await proofOf(registry, agent.signer, { htm, path, accessToken }) }
}

test.each([
  ['httpLink', () => httpLink<AppRouter>({ url: url() })],
  ['httpLink with methodOverride', () => httpLink<AppRouter>({ url: url(), methodOverride: 'POST' })],
  ['httpBatchLink', () => httpBatchLink<AppRouter>({ url: url() })],
  ['httpBatchLink with methodOverride', () => httpBatchLink<AppRouter>({ url: url(), methodOverride: 'POST' })],
  ['httpBatchStreamLink', () => httpBatchStreamLink<AppRouter>({ url: url() })],
  ['httpBatchStreamLink with streamHeader', () => httpBatchStreamLink<AppRouter>({ url: url(), streamHeader: 'accept' })],
  ['httpBatchStreamLink with methodOverride', () => httpBatchStreamLink<AppRouter>({ url: url(), methodOverride: 'POST' })],
  [
    'splitLink',
    () =>
      splitLink<AppRouter>({
        condition: ({ type }) => type === 'query',
        true: httpBatchLink({ url: url() }),
        false: httpLink({ url: url() }),
      }),
  ],
])('%s returns results, and refusals with their reason', async (_, link) => {
  const client = clientOf(link())
  const [info, found, refused] = await Promise.allSettled([
    client.system.info.query(),
    client.discovery.search.query({ text: 'nothing' }),
    client.tasks.list.query({}),
  ])
  expect(info).toMatchObject({ value: { issuer: registry.issuer } })
  expect(found).toMatchObject({ value: { total: 0 } })
  expect(refused).toMatchObject({ reason: { data: { reason: 'invalid_token' } } })
})

test('retryLink before httpBatchLink repeats a call with a new proof', async () => {
  let calls = 0
  const headers = () => (++calls === 1 ? {} : headersFor('GET', '/trpc/tasks.list'))
  const client = clientOf(retryLink({ retry: ({ attempts }) => attempts < 2 }), httpBatchLink({ url: url(), headers }))
  expect([await client.tasks.list.query({}), calls]).toEqual([{ items: [] }, 2])
})

test.each([
  ['FormData', () => new FormData()],
  ['binary data', () => new Uint8Array(4)],
])('an input of %s is refused with a text that names application/json', async (_, input) => {
  const call = clientOf(httpLink({ url: url() })).members.join.mutate(input() as never)
  await expect(call).rejects.toMatchObject({
    message: expect.stringContaining('application/json'),
    data: { reason: 'unsupported_media_type' },
  })
})

test('a query by POST is authenticated by a proof for POST', async () => {
  const link = (htm: string) =>
    httpLink<AppRouter>({ url: url(), methodOverride: 'POST', headers: () => headersFor(htm, '/trpc/tasks.list') })
  expect(await clientOf(link('POST')).tasks.list.query({})).toEqual({ items: [] })
  await expect(clientOf(link('GET')).tasks.list.query({})).rejects.toMatchObject({ data: { reason: 'invalid_token' } })
})

test('httpSubscriptionLink gets 405, and its text names wsLink', async () => {
  const response = await registry.fetch('/trpc/revocations.watch?input={}', { headers: { accept: 'text/event-stream' } })
  expect([response.status, (await response.json()).error.message]).toEqual([405, expect.stringContaining('use wsLink')])
})

test('wsLink works with headers of the handshake, and connectionParams are refused with a text that names the alternatives', async () => {
  const headers = await headersFor('GET', '/trpc')
  class Authenticated extends WebSocket {
    constructor(address: string) {
      super(address, { headers })
    }
  }
  const socketUrl = url().replace('http', 'ws')
  const client = createWSClient({ url: socketUrl, WebSocket: Authenticated as never })
  expect(await clientOf(wsLink({ client })).tasks.list.query({})).toEqual({ items: [] })
  await client.close()
  const refused = new WebSocket(`${socketUrl}?connectionParams=1`, { headers: await headersFor('GET', '/trpc') })
  const [, response] = await once(refused, 'unexpected-response')
  expect(response.statusCode).toBe(400)
  let body = ''
  for await (const chunk of response) body += String(chunk)
  expect(JSON.parse(body)).toMatchObject({
    error: 'invalid_request',
    error_description: expect.stringContaining('a ticket as subprotocol'),
  })
})

test.each([
  ['a duplicate member', '{"id":1,"id":2,"method":"query","params":{"path":"system.info"}}'],
  ['a duplicate member in the input', '{"id":1,"method":"query","params":{"path":"tasks.get","input":{"taskId":"a","taskId":"b"}}}'],
  ['a reserved member', '[{"id":1,"method":"query","params":{"path":"system.info","__proto__":{}}}]'],
  ['more than 10,000 values', `[${'0,'.repeat(10_000)}0]`],
  ['a syntax error', '{'],
])('a frame of a socket with %s gets bad_input and runs no call', async (_, frame) => {
  const socket = new WebSocket(url().replace('http', 'ws'), { headers: await headersFor('GET', '/trpc') })
  await once(socket, 'open')
  const received = on(socket, 'message')
  socket.send(frame)
  socket.send('{"id":7,"method":"query","params":{"path":"system.info"}}')
  const messages: unknown[] = []
  for await (const [data] of received) if (messages.push(JSON.parse(String(data))) === 2) break
  expect(messages).toMatchObject([
    { id: null, error: { data: { reason: 'bad_input' } } },
    { id: 7, result: { type: 'data' } },
  ])
  socket.terminate()
})
