import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Signer } from '../../src/credentials/jose/sign.js'
import { proofOf } from '../oauth/requests.js'
import { type Actor, type Registry, startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'
import { type Callers, callersOf, maxStaleness, type Registered, register } from './peers.js'
import { type Running, run } from './process.js'

// Runs each example as a user does, over the built package (`npm test` builds it first).
const EXAMPLES = resolve(import.meta.dirname, '../../examples/middleware')
const PUBLIC = 'https://ocr.example'
const BODY = '{ "page" : "1",\n "name":"Zoë" }'

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock() })
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

interface Sent {
  readonly dpop?: string
  readonly authorization?: string
  readonly forwarded?: Record<string, string>
}

/** The request body, and how the handler's output is read from the response. */
const PLAIN = { type: 'text/plain', body: BODY, read: (text: string) => JSON.parse(text) }
const A2A = {
  type: 'application/json',
  body: JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'SendMessage',
    params: { message: { messageId: 'm1', role: 'ROLE_USER', parts: [{ text: BODY }] } },
  }),
  read: (text: string) => JSON.parse(JSON.parse(text).result.task.artifacts[0].parts[0].text),
}

describe.each([
  ['node-http.js', PLAIN],
  ['express.js', PLAIN],
  ['fastify.js', PLAIN],
  ['hono.js', PLAIN],
  ['a2a-sdk.js', A2A],
])('examples/middleware/%s', (file, format) => {
  let resourceServer: Registered
  let callers: Callers
  let example: Running
  let url: string

  beforeAll(async () => {
    resourceServer = await register(registry, acme)
    const { agentId, registrationToken } = resourceServer
    const registration = { issuer: registry.issuer, agentId, registrationToken, publicUrl: PUBLIC, port: 0 }
    example = run(process.execPath, [resolve(EXAMPLES, file)], { AGENT: JSON.stringify(registration) })
    const [, port] = await example.wrote(/listening on (\d+)/)
    url = `http://127.0.0.1:${port}/a2a`
    callers = await callersOf(registry, acme, resourceServer)
  })
  afterAll(() => example[Symbol.asyncDispose]())

  const send = async ({ dpop, authorization, forwarded = {} }: Sent) => {
    const headers = {
      'content-type': format.type,
      'a2a-version': '1.0',
      ...forwarded,
      ...(authorization && { authorization }),
      ...(dpop && { dpop }),
    }
    const response = await fetch(url, { method: 'POST', headers, body: format.body })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  const signed = async (accessToken: string, { signer = callers.planner.signer as Signer, htu = `${PUBLIC}/a2a` } = {}) => ({
    authorization: `DPoP ${accessToken}`,
    dpop: await proofOf(registry, signer, { path: '', accessToken }, { htu }),
  })
  const token = async (more: object = {}) =>
    (await callers.planner.exchange({ audience: resourceServer.audience, scope: 'ocr:read', ...more })).accessToken
  const refusal = async (sent: Sent) => {
    const { status, headers, text } = await send(sent)
    return { status, challenge: headers.get('www-authenticate'), error: JSON.parse(text).error }
  }
  /** The response to a request that lacks credentials, or whose credentials are refused for `error`. */
  const refusedFor = (error: string | undefined, { status = 401, scope = 'ocr:read' } = {}) => ({
    status,
    challenge: `DPoP ${error ? `error="${error}", ` : ''}algs="ES256 EdDSA", resource_metadata="${registry.issuer}/.well-known/oauth-protected-resource/agents/${resourceServer.agentId}", scope="${scope}"`,
    error: error ?? 'invalid_token',
  })
  const invalid = () => refusedFor('invalid_token')

  test('the example adopts Credence in at most five lines', () => {
    const [, after = ''] = readFileSync(resolve(EXAMPLES, file), 'utf8').split(/^\/\/ These lines adopt Credence.*\n/m)
    const [lines = ''] = after.split('\n\n')
    expect(lines).toContain('createVerifier')
    expect(lines.trim().split('\n').length).toBeLessThanOrEqual(5)
  })
  test('a verified request reaches the handler with its body, subject, actors, scopes and task', async () => {
    const { planner, research } = callers
    const { taskId } = await planner.tasks.create({ description: 'read' })
    const direct = await send(await signed(await token({ taskId })))
    expect(direct.status).toBe(200)
    expect(format.read(direct.text)).toEqual({ subject: planner.agentId, actors: [], scopes: ['ocr:read'], task: taskId, body: BODY })

    const delegation = { depth: 1, rights: [{ audience: resourceServer.audience, scope: 'ocr:read' }] }
    const passed = await planner.exchange({ audience: research.audience, taskId, delegation })
    const onward = await research.exchange({ audience: resourceServer.audience, subjectToken: passed.accessToken })
    const through = await send(await signed(onward.accessToken, { signer: research.signer }))
    expect(format.read(through.text)).toMatchObject({ subject: planner.agentId, actors: [research.agentId], task: taskId })
  })
  test('a request without a token, with a Bearer token, a used proof or a proof for another URL gets 401, one without the scope gets 403, each with a challenge', async () => {
    const accessToken = await token()
    expect(await refusal({})).toEqual(refusedFor(undefined))
    expect(await refusal({ authorization: `Bearer ${accessToken}` })).toEqual(invalid())
    const request = await signed(accessToken)
    expect((await send(request)).status).toBe(200)
    expect(await refusal(request)).toEqual(invalid())
    expect(await refusal(await signed(accessToken, { htu: url }))).toEqual(invalid())
    expect(await refusal(await signed(await token({ scope: 'ocr:admin' })))).toEqual(
      refusedFor('insufficient_scope', { status: 403, scope: 'ocr:admin ocr:read' }),
    )
  })
  test('forwarded headers are ignored, because no proxy is listed', async () => {
    const { host, protocol } = new URL(url)
    const forwarded = { 'x-forwarded-host': host, 'x-forwarded-proto': protocol.slice(0, -1), forwarded: `host=${host};proto=http` }
    expect(await refusal({ ...(await signed(await token(), { htu: url })), forwarded })).toEqual(invalid())
    expect((await send({ ...(await signed(await token())), forwarded })).status).toBe(200)
  })
  test('the token of a task that has ended is refused within a second', async () => {
    const { taskId } = await callers.planner.tasks.create({ description: 'short' })
    const accessToken = await token({ taskId })
    expect((await send(await signed(accessToken))).status).toBe(200)
    await callers.planner.tasks.end(taskId)
    await maxStaleness()
    expect(await refusal(await signed(accessToken))).toEqual(invalid())
  })
  test('a request gets 503 with Retry-After once the registry has been unreachable for a second; afterwards the same proof is accepted', async () => {
    const accessToken = await token()
    registry.front.route([1]) // no server listens on this port
    registry.front.cutSockets()
    try {
      await maxStaleness()
      const { status, headers, text } = await send(await signed(accessToken))
      expect([status, headers.get('retry-after'), JSON.parse(text).error]).toEqual([503, '1', 'standing_unknown'])
    } finally {
      registry.front.route(registry.servers.map(({ port }) => port))
    }
    const refused = await signed(accessToken)
    await expect.poll(async () => (await send(refused)).status, { interval: 50 }).toBe(200)
  })
})
