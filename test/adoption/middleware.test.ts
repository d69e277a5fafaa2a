// Every middleware example, started as it stands and called over HTTP: one set of expectations for all of them.
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Front, openFront } from '../front.js'
import { proofOf } from '../oauth.js'
import { type Registry, startRegistry } from '../registry.js'
import { aPair, type Pair } from '../stories/actors.js'

type Feed = Awaited<ReturnType<Pair['ocr']['subscribe']>>
interface Example {
  start(options: object, port: number): Server
}

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry, ['ocr:read', 'ocr:admin'])
})
afterAll(() => registry[Symbol.asyncDispose]())

/** How a text is sent to an example, and found in its answer. */
const PLAIN = { wrap: (text: string) => text, unwrap: (body: string) => JSON.parse(body) }
const A2A = {
  wrap: (text: string) =>
    JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'SendMessage',
      params: { message: { messageId: 'm', role: 'ROLE_USER', parts: [{ text }] } },
    }),
  unwrap: (body: string) => JSON.parse(JSON.parse(body).result.message.parts[0].text),
}

describe.each([
  ['node-http', PLAIN],
  ['express', PLAIN],
  ['fastify', PLAIN],
  ['hono', PLAIN],
  ['a2a-sdk', A2A],
])('%s', (name, { wrap, unwrap }) => {
  let feed: Feed
  let front: Front
  let server: Server
  beforeAll(async () => {
    feed = await pair.ocr.subscribe()
    front = await openFront()
    const { start }: Example = await import(`../../examples/middleware/${name}.js`)
    const { issuer, clock } = registry
    server = start({ issuer, audience: pair.ocr.audience, publicUrl: front.origin, standing: feed, clock }, 0)
    if (!server.listening) await new Promise((resolve) => server.once('listening', resolve))
    front.route([(server.address() as AddressInfo).port])
  })
  afterAll(async () => {
    feed.close()
    server.closeAllConnections()
    server.close()
    await front[Symbol.asyncDispose]()
  })

  const aToken = async (more: object = {}) =>
    (await pair.planner.exchange({ audience: pair.ocr.audience, scope: 'ocr:read', ...more })).accessToken
  const aCall = async (accessToken: string, changes: object = {}): Promise<Record<string, string>> => ({
    authorization: `DPoP ${accessToken}`,
    dpop: await proofOf(registry, pair.planner.signer, { htm: 'POST', path: '', accessToken }, { htu: `${front.origin}/a2a`, ...changes }),
    'content-type': name === 'a2a-sdk' ? 'application/json' : 'text/plain',
    'a2a-version': '1.0',
  })
  const send = (headers: Record<string, string>, text = 'page 1') =>
    fetch(`${front.origin}/a2a?of=1`, { method: 'POST', headers, body: wrap(text) })

  test('a good call reaches the handler with its body, and says who calls and for which task', async () => {
    const { taskId } = await pair.planner.tasks.create({ description: 'read' })
    const answer = await send(await aCall(await aToken({ taskId })))
    expect(answer.status).toBe(200)
    expect(unwrap(await answer.text())).toEqual({ chain: [pair.planner.agentId], scope: 'ocr:read', taskId, text: 'page 1' })
  })

  test('no token, a Bearer token, a proof that was used, one for another address: 401 with a challenge', async () => {
    const call = await aCall(await aToken())
    expect((await send(call)).status).toBe(200)
    const { authorization: _, ...bare } = call
    const bearer = { ...call, authorization: call.authorization?.replace('DPoP', 'Bearer') ?? '' }
    const elsewhere = await aCall(await aToken(), { htu: 'https://elsewhere.example/a2a' })
    for (const headers of [bare, bearer, call, elsewhere]) {
      const refused = await send(headers)
      expect(refused.status).toBe(401)
      expect(refused.headers.get('www-authenticate')).toMatch(/^DPoP error="invalid_token"/)
      expect(await refused.json()).toMatchObject({ error: 'invalid_token' })
    }
  })

  test('headers of a proxy change nothing: the address is the configured one', async () => {
    const { host } = new URL('https://elsewhere.example')
    const forged = { 'x-forwarded-host': host, 'x-forwarded-proto': 'https', forwarded: `host=${host};proto=https` }
    const elsewhere = await aCall(await aToken(), { htu: `https://${host}/a2a` })
    expect((await send({ ...elsewhere, ...forged })).status).toBe(401)
    expect((await send({ ...(await aCall(await aToken())), ...forged })).status).toBe(200)
  })

  test('a token without the scope is refused: the caller hears what was needed', async () => {
    const answer = await send(await aCall(await aToken({ scope: 'ocr:admin' })))
    const text = await answer.text()
    // Behind the A2A handler it is the handler's own error, with status 200 as JSON-RPC has it
    expect(answer.status).toBe(name === 'a2a-sdk' ? 200 : 403)
    expect(text).toContain('ocr:read')
  })

  test('after its task ended, 401', async () => {
    const { taskId } = await pair.planner.tasks.create({ description: 'brief' })
    const token = await aToken({ taskId })
    expect((await send(await aCall(token))).status).toBe(200)
    await pair.planner.tasks.end(taskId)
    expect((await send(await aCall(token))).status).toBe(401)
  })

  test('a callee that cannot know what stands says so: 503, Retry-After', async () => {
    const token = await aToken()
    const { start }: Example = await import(`../../examples/middleware/${name}.js`)
    const { issuer, clock } = registry
    const introspect = () => Promise.reject(new Error('the registry is away'))
    const lost = start({ issuer, audience: pair.ocr.audience, publicUrl: front.origin, standing: { introspect }, clock }, 0)
    if (!lost.listening) await new Promise((resolve) => lost.once('listening', resolve))
    front.route([(lost.address() as AddressInfo).port])
    const answer = await send(await aCall(token))
    front.route([(server.address() as AddressInfo).port])
    lost.closeAllConnections()
    lost.close()
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await answer.json()).toMatchObject({ error: 'standing_unknown' })
  })
})
