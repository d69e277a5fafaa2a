import { connect } from 'node:net'
import { createTRPCClient, createWSClient, httpBatchLink, wsLink } from '@trpc/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { z } from 'zod'
import type { Caller } from '../../../src/http/caller.js'
import { startHttp } from '../../../src/http/server.js'
import { trpcOverHttp } from '../../../src/http/trpc/over-http.js'
import { trpcOverWebSocket } from '../../../src/http/trpc/over-websocket.js'
import { openProcedure, router, type TrpcContext } from '../../../src/http/trpc/procedures.js'
import { serveUpgrades } from '../../../src/http/websocket.js'
import type { Log } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import type { AppRouter } from '../../../src/server/router.js'
import { proofOf } from '../../oauth.js'
import { type AgentActor, type Registry, startRegistry } from '../../registry.js'
import { aCallee, introduce } from '../../stories/actors.js'

let registry: Registry
let agent: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  agent = await registry.agent()
})
afterAll(() => registry[Symbol.asyncDispose]())

const get = async (path: string, headers: Record<string, string> = {}) => {
  const answer = await registry.fetch(path, { headers })
  return { status: answer.status, body: JSON.parse(await answer.text()) }
}
const post = async (path: string, body: string, headers: Record<string, string> = { 'content-type': 'application/json' }) => {
  const answer = await registry.fetch(path, { method: 'POST', body, headers })
  return { status: answer.status, body: JSON.parse(await answer.text()) }
}

/** What the server says to a request of that length before it has read it. */
const statusOfLength = (length: number) =>
  new Promise<number>((resolve, reject) => {
    const socket = connect(registry.servers[0]?.port ?? 0, '127.0.0.1')
    socket.on('error', reject)
    socket.on('data', (data) => {
      resolve(Number(/^HTTP\/1.1 (\d{3})/.exec(String(data))?.[1]))
      socket.destroy()
    })
    socket.write(`POST /trpc/members.join HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n"x`)
  })

describe('limits at the door', () => {
  test('at most ten calls in a batch', async () => {
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
    '%2e%2e',
    'system.__proto__',
  ])('%j is no procedure', async (path) => {
    const { status, body } = await get(`/trpc/${path}`)
    expect([status, body.error.data?.reason ?? body.error]).toEqual([404, 'not_found'])
  })
  test('a body of 2 MB, one of another type, one that is no strict JSON, one that is nested without end', async () => {
    expect(await statusOfLength(2_000_000)).toBe(413)
    expect((await post('/trpc/members.join', '{}', { 'content-type': 'text/plain' })).body.error.data.reason).toBe('unsupported_media_type')
    for (const text of ['{', '{"a":1,"a":2}', '{"__proto__":{}}', '{"constructor":{"prototype":{}}}', '['.repeat(100_000)])
      expect((await post('/trpc/members.join', text)).body.error.data).toMatchObject({ reason: 'bad_input', httpStatus: 400 })
    expect((await get(`/trpc/cards.get?input=${encodeURIComponent('{"a":1,"a":2}')}`)).body.error.data.reason).toBe('bad_input')
    expect((await post('/trpc/members.join', '{}', { 'content-type': 'application/json', 'x-http-method-override': 'GET' })).status).toBe(
      405,
    )
  })
  test('each fault has a JSON Pointer and a hint, and the answer a request id', async () => {
    const { body } = await post('/trpc/members.join', JSON.stringify({ code: { $ne: null }, name: '', jwk: {}, proof: 'x', extra: 1 }))
    expect(body.error.data).toMatchObject({ reason: 'bad_input', requestId: expect.stringMatching(/^req_/) })
    expect(body.error.data.faults.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual(['', '/code', '/name'])
  })
  test('a query is not posted, a mutation not got, a subscription neither, and elsewhere is nothing', async () => {
    expect((await post('/trpc/system.info', '{}')).status).toBe(405)
    expect((await get('/trpc/members.join?input={}')).status).toBe(405)
    for (const path of ['revocations.watch', 'introductions.watch']) expect((await get(`/trpc/${path}?input={}`)).status).toBe(405)
    expect((await get('/nothing')).status).toBe(404)
    expect((await get('/oauth/token')).status).toBe(405)
  })
})

describe('who calls', () => {
  const call = async (headers: Record<string, string>) => (await get('/trpc/tasks.list', headers)).body.error?.data.reason ?? 'done'
  const credentials = async (changes: object = {}, by = agent) => {
    const { accessToken } = await by.token()
    return {
      authorization: `DPoP ${accessToken}`,
      dpop: await proofOf(registry, by.signer, { htm: 'GET', path: '/trpc/tasks.list', accessToken, ...changes }),
    }
  }
  test('a token with its proof', async () => {
    expect(await call(await credentials())).toBe('done')
  })
  test('none, a Bearer, a proof by another key, for another token, for another path or method, used before', async () => {
    const other = await registry.agent()
    const good = await credentials()
    expect(await call({})).toBe('invalid_token')
    expect(await call({ ...good, authorization: good.authorization.replace('DPoP', 'Bearer') })).toBe('invalid_token')
    expect(await call({ authorization: good.authorization })).toBe('invalid_token')
    const { accessToken } = await agent.token()
    expect(
      await call({ ...good, dpop: await proofOf(registry, other.signer, { htm: 'GET', path: '/trpc/tasks.list', accessToken }) }),
    ).toBe('invalid_token')
    expect(
      await call({
        ...good,
        dpop: await proofOf(registry, agent.signer, {
          htm: 'GET',
          path: '/trpc/tasks.list',
          accessToken: (await other.token()).accessToken,
        }),
      }),
    ).toBe('invalid_token')
    expect(await call({ ...good, dpop: await proofOf(registry, agent.signer, { htm: 'GET', path: '/trpc/tasks.list' }) })).toBe(
      'invalid_token',
    )
    expect(await call(await credentials({ path: '/trpc/tasks.list/' }))).toBe('invalid_token')
    expect(await call(await credentials({ htm: 'POST' }))).toBe('invalid_token')
    const used = await credentials()
    expect([await call(used), await call(used)]).toEqual(['done', 'invalid_token'])
    expect(await call({ ...(await credentials()), 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' })).toBe('done')
  })
  test('a token for another audience', async () => {
    const ocr = await aCallee(registry, { of: await registry.organisation('Acme'), contact: { mode: 'open' } })
    const planner = await registry.agent({ ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] } })
    await introduce(planner, ocr)
    const { accessToken } = await planner.exchange({ audience: ocr.audience })
    const dpop = await proofOf(registry, planner.signer, { htm: 'GET', path: '/trpc/tasks.list', accessToken })
    const { status, body } = await get('/trpc/tasks.list', { authorization: `DPoP ${accessToken}`, dpop })
    expect([status, body.error.data.reason, body.error.message]).toEqual([401, 'invalid_token', expect.stringContaining('`aud`')])
  })
  test('a token whose signature is another', async () => {
    const { authorization, dpop } = await credentials()
    const { status, body } = await get('/trpc/tasks.list', { authorization: `${authorization.slice(0, -4)}AAAA`, dpop })
    expect([status, body.error.data.reason, body.error.message]).toEqual([401, 'invalid_token', expect.stringContaining('not signed')])
  })
})

describe('the stock client', () => {
  test('over HTTP in batches, and over a WebSocket', async () => {
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

test('a bug’s message reaches no caller, from calls and running subscriptions alike, and is logged once with its stack', async () => {
  const SECRET = 'mongodb://root:canary@db'
  const logged: string[] = []
  const log: Log = {
    info: () => {},
    warn: () => {},
    error: (message, error) => logged.push(`${message} ${error instanceof Error ? error.stack : error}`),
  }
  const routes = router({
    bad: router({
      query: openProcedure.query((): number => {
        throw new Error(SECRET)
      }),
      output: openProcedure.output(z.number()).query(() => SECRET as never),
      stream: openProcedure.subscription(async function* () {
        yield 1
        throw new Error(SECRET)
      }),
    }),
  })
  const context = (): TrpcContext => ({
    requestId: 'req_x',
    findCaller: async () => undefined,
    alive: () => new AbortController().signal,
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
    admission: http.admission,
    alive: () => new AbortController().signal,
    onBug: context().onBug,
  })
  const caller = { scopes: [] } as unknown as Caller // nobody in particular: these procedures ask for none
  const upgrades = serveUpgrades(http.server, {
    issuer: 'http://127.0.0.1',
    handlers: [ws],
    origins: [],
    trustedProxies: [],
    authenticate: async () => caller,
    redeemTicket: async () => undefined,
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
    const answers: string[] = []
    await new Promise<void>((resolve) => {
      socket.on('open', () => socket.send(JSON.stringify({ id: 1, method: 'subscription', params: { path: 'bad.stream', input: null } })))
      socket.on('message', (data) => {
        answers.push(String(data))
        if (String(data).includes('error')) resolve()
      })
    })
    socket.terminate()
    expect(answers.join()).not.toContain('canary')
    expect(answers.some((answer) => answer.includes('internal error'))).toBe(true)
    expect(logged.filter((line) => line.includes('canary')).length).toBe(2)
  } finally {
    upgrades.close()
    await http.close()
  }
})

test('more than eight subscriptions on one socket close it', async () => {
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

test('a call over a socket is refused after an ending that another server acknowledged, though no doorbell rang', async () => {
  const victim = await registry.agent()
  const deaf = await registry.addServer((name, work) => (name === 'log.ring' ? Promise.reject(new Error('lost')) : work()))
  const { accessToken } = await victim.token()
  const headers = {
    authorization: `DPoP ${accessToken}`,
    dpop: await proofOf(registry, victim.signer, { htm: 'GET', path: '/trpc', accessToken }),
  }
  const socket = new WebSocket(`ws://127.0.0.1:${deaf.port}/trpc`, { headers })
  const call = (id: number) =>
    new Promise<string>((resolve) => {
      socket.once('message', (data) => resolve(String(data)))
      socket.once('close', (code) => resolve(`closed ${code}`))
      socket.send(JSON.stringify({ id, method: 'query', params: { path: 'introductions.inbox', input: {} } }))
    })
  await new Promise<void>((resolve) => socket.once('open', () => resolve()))
  expect(await call(1)).toContain('"items":[]')
  // A procedure that reads behind no fence of its own.
  await registry.operator.mutate('agents.suspend', { agentId: victim.agentId })
  expect(await call(2)).toMatch(/invalid_token|closed 4401/)
  socket.terminate()
})
