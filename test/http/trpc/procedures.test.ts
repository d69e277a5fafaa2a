import { connect } from 'node:net'
import { createTRPCClient, createWSClient, httpBatchLink, wsLink } from '@trpc/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { z } from 'zod'
import type { TokenCaller } from '../../../src/http/caller.js'
import { startHttp } from '../../../src/http/server.js'
import { trpcOverHttp } from '../../../src/http/trpc/over-http.js'
import { trpcOverWebSocket } from '../../../src/http/trpc/over-websocket.js'
import { publicProcedure, router, type TrpcContext } from '../../../src/http/trpc/procedures.js'
import { serveUpgrades } from '../../../src/http/websocket.js'
import { systemClock } from '../../../src/lib/clock.js'
import type { Log } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import type { AppRouter } from '../../../src/server/router.js'
import { proofOf } from '../../oauth/requests.js'
import { type AgentActor, type Registry, startRegistry } from '../../registry.js'
import { aPublishedAgent, introduce } from '../../stories/actors.js'

let registry: Registry
let agent: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  agent = await registry.agent()
})
afterAll(() => registry[Symbol.asyncDispose]())

const get = async (path: string, headers: Record<string, string> = {}) => {
  const response = await registry.fetch(path, { headers })
  return { status: response.status, body: JSON.parse(await response.text()) }
}
const post = async (path: string, body: string, headers: Record<string, string> = { 'content-type': 'application/json' }) => {
  const response = await registry.fetch(path, { method: 'POST', body, headers })
  return { status: response.status, body: JSON.parse(await response.text()) }
}

/** The status of a request that declares this Content-Length and sends only the beginning of its body. */
const statusOfDeclaredLength = (length: number) =>
  new Promise<number>((resolve, reject) => {
    const socket = connect(registry.servers[0]?.port ?? 0, '127.0.0.1')
    socket.on('error', reject)
    socket.on('data', (data) => {
      resolve(Number(/^HTTP\/1.1 (\d{3})/.exec(String(data))?.[1]))
      socket.destroy()
    })
    socket.write(`POST /trpc/members.join HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n"x`)
  })

describe('request limits', () => {
  test('a batch of ten calls is served, a batch of eleven gets batch_too_large', async () => {
    const paths = (count: number) => Array(count).fill('system.info').join(',')
    expect((await get(`/trpc/${paths(10)}?batch=1&input=${encodeURIComponent('{}')}`)).status).toBe(200)
    expect((await get(`/trpc/${paths(11)}?batch=1`)).body.error.data).toMatchObject({ reason: 'batch_too_large', httpStatus: 400 })
  })
  test.each([
    '__proto__',
    'constructor',
    'toString',
    'system.info._def',
    'system',
    'cards.',
    'a'.repeat(600),
    'x.%2e%2e',
    'system.__proto__',
  ])('the path %j gets not_found', async (path) => {
    const { status, body } = await get(`/trpc/${path}`)
    expect([status, body.error.data?.reason ?? body.error]).toEqual([404, 'not_found'])
  })
  test('a body of 2 MB gets 413 before it is sent', async () => {
    expect(await statusOfDeclaredLength(2_000_000)).toBe(413)
  })
  test('a body with another content type gets unsupported_media_type', async () => {
    const { body } = await post('/trpc/members.join', '{}', { 'content-type': 'text/plain' })
    expect(body.error.data.reason).toBe('unsupported_media_type')
  })
  test('input that is not strict JSON gets bad_input, in a body and in a query', async () => {
    for (const text of ['{', '{"a":1,"a":2}', '{"__proto__":{}}', '{"constructor":{"prototype":{}}}', '['.repeat(10_000)])
      expect((await post('/trpc/members.join', text)).body.error.data).toMatchObject({ reason: 'bad_input', httpStatus: 400 })
    expect((await get(`/trpc/cards.get?input=${encodeURIComponent('{"a":1,"a":2}')}`)).body.error.data.reason).toBe('bad_input')
  })
  test('a refusal of bad input has a request id, and a JSON Pointer and a hint for each fault', async () => {
    const { body } = await post('/trpc/members.join', JSON.stringify({ code: { $ne: null }, name: '', jwk: {}, proof: 'x', extra: 1 }))
    expect(body.error.data).toMatchObject({ reason: 'bad_input', requestId: expect.stringMatching(/^req_/) })
    expect(body.error.data.faults.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual(['', '/code', '/name'])
  })
  test('the text of a refusal names the member and what is expected', async () => {
    const { body } = await get(`/trpc/cards.get?input=${encodeURIComponent('{"agentId":"agt_x"}')}`)
    expect(body.error.message).toBe('agentId: not an agent id (agt_ + 22 characters)')
    expect(body.error.data.faults).toEqual([{ pointer: '/agentId', hint: 'not an agent id (agt_ + 22 characters)' }])
  })
  test('a GET of a mutation or subscription and a method override get 405', async () => {
    const override = { 'content-type': 'application/json', 'x-http-method-override': 'GET' }
    expect((await post('/trpc/members.join', '{}', override)).status).toBe(405)
    expect((await get('/trpc/members.join?input={}')).status).toBe(405)
    for (const path of ['revocations.watch', 'introductions.watch']) expect((await get(`/trpc/${path}?input={}`)).status).toBe(405)
    expect((await get('/oauth/token')).status).toBe(405)
  })
  test('an unknown path gets 404', async () => {
    expect((await get('/nothing')).status).toBe(404)
  })
})

describe('authentication of calls', () => {
  const call = async (headers: Record<string, string>) => (await get('/trpc/tasks.list', headers)).body.error?.data.reason ?? 'done'
  const credentials = async (changes: object = {}) => {
    const { accessToken } = await agent.token()
    return {
      authorization: `DPoP ${accessToken}`,
      dpop: await proofOf(registry, agent.signer, { htm: 'GET', path: '/trpc/tasks.list', accessToken, ...changes }),
    }
  }
  test('a token with its proof is accepted, and forwarded headers do not matter', async () => {
    expect(await call(await credentials())).toBe('done')
    expect(await call({ ...(await credentials()), 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' })).toBe('done')
  })
  const proof = async (signer: AgentActor, accessToken?: string) =>
    proofOf(registry, signer.signer, { htm: 'GET', path: '/trpc/tasks.list', ...(accessToken !== undefined && { accessToken }) })
  test.each<[string, () => Promise<Record<string, string>>]>([
    ['no token', async () => ({})],
    [
      'the Bearer scheme',
      async () => {
        const { authorization, dpop } = await credentials()
        return { authorization: authorization.replace('DPoP', 'Bearer'), dpop }
      },
    ],
    ['a token without a proof', async () => ({ authorization: (await credentials()).authorization })],
    [
      'a proof by another key',
      async () => {
        const { accessToken } = await agent.token()
        return { authorization: `DPoP ${accessToken}`, dpop: await proof(await registry.agent(), accessToken) }
      },
    ],
    [
      'a proof for another token',
      async () => {
        const { accessToken } = await (await registry.agent()).token()
        return { ...(await credentials()), dpop: await proof(agent, accessToken) }
      },
    ],
    ['a proof for no token', async () => ({ ...(await credentials()), dpop: await proof(agent) })],
    ['a proof for another path', () => credentials({ path: '/trpc/tasks.list/' })],
    ['a proof for another method', () => credentials({ htm: 'POST' })],
  ])('a call with %s gets invalid_token', async (_, headers) => {
    expect(await call(await headers())).toBe('invalid_token')
  })
  test('a second use of a proof gets invalid_token', async () => {
    const used = await credentials()
    expect([await call(used), await call(used)]).toEqual(['done', 'invalid_token'])
  })
  test('a token for another audience gets invalid_token', async () => {
    const ocr = await aPublishedAgent(registry, { registeredBy: await registry.organisation('Acme'), introductionPolicy: { mode: 'open' } })
    const planner = await registry.agent({ ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] } })
    await introduce(planner, ocr)
    const { accessToken } = await planner.exchange({ audience: ocr.audience })
    const dpop = await proofOf(registry, planner.signer, { htm: 'GET', path: '/trpc/tasks.list', accessToken })
    const { status, body } = await get('/trpc/tasks.list', { authorization: `DPoP ${accessToken}`, dpop })
    expect([status, body.error.data.reason, body.error.message]).toEqual([401, 'invalid_token', expect.stringContaining('`aud`')])
  })
  test('a token with a changed signature gets invalid_token', async () => {
    const { authorization, dpop } = await credentials()
    const { status, body } = await get('/trpc/tasks.list', { authorization: `${authorization.slice(0, -4)}AAAA`, dpop })
    expect([status, body.error.data.reason, body.error.message]).toEqual([
      401,
      'invalid_token',
      expect.stringContaining('no accepted key signed it'),
    ])
  })
})

describe('the client of @trpc/client', () => {
  test('calls work over HTTP in batches and over a WebSocket', async () => {
    const http = createTRPCClient<AppRouter>({ links: [httpBatchLink({ url: `${registry.issuer}/trpc` })] })
    const [info, found] = await Promise.all([http.system.info.query(), http.discovery.search.query({ text: 'nothing' })])
    expect(info.issuer).toBe(registry.issuer)
    expect(found.total).toBe(0)
    await expect(http.tasks.list.query({})).rejects.toMatchObject({ data: { reason: 'invalid_token', httpStatus: 401 } })
    const { accessToken } = await agent.token()
    const headers = {
      authorization: `DPoP ${accessToken}`,
      dpop: await proofOf(registry, agent.signer, { htm: 'GET', path: '/trpc', accessToken }),
    }
    class Authenticated extends WebSocket {
      constructor(address: string) {
        super(address, { headers })
      }
    }
    const client = createWSClient({ url: `${registry.issuer.replace('http', 'ws')}/trpc`, WebSocket: Authenticated as never })
    const ws = createTRPCClient<AppRouter>({ links: [wsLink({ client })] })
    const { taskId } = await ws.tasks.create.mutate({ description: 'over a socket' })
    expect((await ws.tasks.get.query({ taskId })).state).toBe('active')
    await expect(ws.organisations.create.mutate({ name: 'x' })).rejects.toMatchObject({ data: { reason: 'insufficient_scope' } })
    await client.close()
  })
})

test('the message of a bug in a call or subscription is logged once with its stack and sent to no caller', async () => {
  const SECRET = 'mongodb://root:canary@db'
  const logged: string[] = []
  const log: Log = {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (message, error) => logged.push(`${message} ${error instanceof Error ? error.stack : error}`),
  }
  const routes = router({
    bad: router({
      query: publicProcedure.query((): number => {
        throw new Error(SECRET)
      }),
      output: publicProcedure.output(z.number()).query(() => SECRET as never),
      stream: publicProcedure.subscription(async function* () {
        yield 1
        throw new Error(SECRET)
      }),
    }),
  })
  const context = (): TrpcContext => ({
    requestId: 'req_x',
    address: '127.0.0.1',
    requireCreationRate: async () => {},
    requireStillStanding: async () => {},
    findCaller: async () => undefined,
    revocationSignal: () => new AbortController().signal,
    onRefusal: async () => {},
    onBug: (path, error) => log.error(`bug in ${path}`, error),
  })
  const http = await startHttp({
    issuer: 'http://127.0.0.1',
    host: '127.0.0.1',
    port: 0,
    routes: [],
    trpc: trpcOverHttp({ router: routes, createContext: context }),
    trustedProxies: [],
    random: systemRandom,
    log,
  })
  const ws = trpcOverWebSocket({
    router: routes,
    createContext: context,
    concurrencyLimit: http.queues.clients,
    revocationSignal: () => new AbortController().signal,
    onBug: context().onBug,
  })
  const caller = { id: 'agt_x', orgId: 'org_x', scopes: [] } as unknown as TokenCaller // the procedures of this test do not read the caller
  const upgrades = serveUpgrades(http.server, {
    issuer: 'http://127.0.0.1',
    handlers: [ws],
    origins: [],
    trustedProxies: [],
    authenticate: async () => caller,
    redeemTicket: async () => undefined,
    queues: http.queues,
    connections: http.connections,
    clock: systemClock,
    random: systemRandom,
    log,
  })
  try {
    const origin = `http://127.0.0.1:${http.port}`
    for (const path of ['bad.query', 'bad.output']) {
      const text = await (await fetch(`${origin}/trpc/${path}`)).text()
      expect(text).not.toContain('canary')
      expect(JSON.parse(text).error).toMatchObject({ message: 'internal error', data: { reason: 'server_error', requestId: 'req_x' } })
    }
    const socket = new WebSocket(`ws://127.0.0.1:${http.port}/trpc`)
    const responses: string[] = []
    await new Promise<void>((resolve) => {
      socket.on('open', () => socket.send(JSON.stringify({ id: 1, method: 'subscription', params: { path: 'bad.stream', input: null } })))
      socket.on('message', (data) => {
        responses.push(String(data))
        if (String(data).includes('error')) resolve()
      })
    })
    socket.terminate()
    expect(responses.join()).not.toContain('canary')
    expect(responses.some((response) => response.includes('internal error'))).toBe(true)
    expect(logged.filter((line) => line.includes('canary')).length).toBe(2)
  } finally {
    upgrades.reconnectElsewhere()
    await http.close()
  }
})

test('a socket with a ninth subscription is closed with code 4429', async () => {
  const { accessToken } = await agent.token()
  const headers = {
    authorization: `DPoP ${accessToken}`,
    dpop: await proofOf(registry, agent.signer, { htm: 'GET', path: '/trpc', accessToken }),
  }
  const socket = new WebSocket(`${registry.issuer.replace('http', 'ws')}/trpc`, { headers })
  const code = await new Promise<number>((resolve) => {
    socket.on('open', () => {
      for (let id = 1; id <= 9; id++)
        socket.send(JSON.stringify({ id, method: 'subscription', params: { path: 'introductions.watch', input: {} } }))
    })
    socket.on('close', resolve)
  })
  expect(code).toBe(4429)
})

test('a call over a socket is refused after another server acknowledged a revocation, even if its change notification is lost', async () => {
  const victim = await registry.agent()
  const withoutNotifications = await registry.addServer((name, work) =>
    name === 'log.notify' ? Promise.reject(new Error('lost')) : work(),
  )
  const { accessToken } = await victim.token()
  const headers = {
    authorization: `DPoP ${accessToken}`,
    dpop: await proofOf(registry, victim.signer, { htm: 'GET', path: '/trpc', accessToken }),
  }
  const socket = new WebSocket(`ws://127.0.0.1:${withoutNotifications.port}/trpc`, { headers })
  const call = (id: number) =>
    new Promise<string>((resolve) => {
      socket.once('message', (data) => resolve(String(data)))
      socket.once('close', (code) => resolve(`closed ${code}`))
      socket.send(JSON.stringify({ id, method: 'query', params: { path: 'introductions.inbox', input: {} } }))
    })
  await new Promise<void>((resolve) => socket.once('open', () => resolve()))
  expect(await call(1)).toContain('"items":[]')
  // This procedure has no read barrier of its own
  await registry.operator.mutate('agents.suspend', { agentId: victim.agentId })
  expect(await call(2)).toMatch(/invalid_token|closed 4401/)
  socket.terminate()
})
