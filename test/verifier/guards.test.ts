import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import express from 'express'
import { fastify } from 'fastify'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Feed } from '../../src/client/feed.js'
import {
  createVerifier,
  credenceOf,
  guard,
  guardA2A,
  guardFastify,
  guardFetch,
  guardHono,
  needsForAll,
  type Verified,
  type Verifier,
} from '../../src/verifier/index.js'
import { proofOf } from '../oauth/requests.js'
import { type Registry, startRegistry } from '../registry.js'
import { aPair, type Pair } from '../stories/actors.js'

let registry: Registry
let pair: Pair
let feed: Feed
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
  feed = await pair.ocr.subscribe()
})
afterAll(async () => {
  feed.close()
  await registry[Symbol.asyncDispose]()
})

const PUBLIC = 'https://ocr.example'
const newVerifier = (more: object = {}): Verifier =>
  createVerifier({
    issuer: registry.issuer,
    audience: pair.ocr.audience,
    publicUrl: PUBLIC,
    standing: feed,
    clock: registry.clock,
    ...more,
  })
const signed = async (htu: string) => {
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  const dpop = await proofOf(registry, pair.planner.signer, { path: '', accessToken }, { htu })
  return { authorization: `DPoP ${accessToken}`, dpop }
}

interface Listening extends AsyncDisposable {
  readonly url: string
}
const listen = (server: Server): Promise<Listening> =>
  new Promise((resolve) => {
    const ready = () => {
      const { port } = server.address() as AddressInfo
      const close = () => new Promise<void>((closed) => server.close(() => closed()))
      resolve({ url: `http://127.0.0.1:${port}/a2a`, [Symbol.asyncDispose]: close })
    }
    if (server.listening) ready()
    else server.listen(0, '127.0.0.1', ready)
  })

/** Servers whose handler responds with the subject of the token. */
const SERVERS: [string, (verifier: Verifier) => Promise<Listening>][] = [
  [
    'node:http',
    (verifier) => {
      const protect = guard(verifier, 'any')
      return listen(createServer((request, response) => protect(request, response, () => response.end(credenceOf(request).claims.sub))))
    },
  ],
  [
    'Express',
    (verifier) => {
      const app = express().set('trust proxy', true)
      app.use('/a2a', guard(verifier, 'any'))
      app.post('/a2a', (request, response) => void response.send(credenceOf(request).claims.sub))
      return listen(createServer(app))
    },
  ],
  [
    'Fastify',
    async (verifier) => {
      const app = fastify({ trustProxy: true })
      app.post('/a2a', { onRequest: guardFastify(verifier, 'any') }, async (request) => credenceOf(request).claims.sub)
      await app.ready()
      return listen(app.server)
    },
  ],
  [
    'Hono',
    (verifier) => {
      const app = new Hono<{ Variables: { credence: Verified } }>()
      app.use('/a2a', guardHono(verifier, 'any'))
      app.post('/a2a', (c) => c.text(c.get('credence').claims.sub))
      return listen(serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }) as Server) // http/1.1: the default
    },
  ],
]

describe.each(SERVERS)('guard for %s', (_name, start) => {
  const call = async (more: { verifier?: object; htu?: string; forwarded?: Record<string, string> } = {}) => {
    await using server = await start(newVerifier(more.verifier))
    const response = await fetch(server.url, {
      method: 'POST',
      headers: { ...(await signed(more.htu ?? `${PUBLIC}/a2a`)), ...more.forwarded, connection: 'close' },
    })
    return { status: response.status, text: await response.text() }
  }
  const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'other.example' }
  const OTHER = 'https://other.example/a2a'

  test('the guard passes a verified request to the handler', async () => {
    expect(await call()).toMatchObject({ status: 200, text: pair.planner.agentId })
  })
  test('if a store fails, the guard responds 500 without detail, does not run the handler, and calls onBug', async () => {
    const bugs: unknown[] = []
    const replay = { consume: () => Promise.reject(new Error('the disk is full')) }
    const { status, text } = await call({ verifier: { replay, onBug: (error: unknown) => bugs.push(error) } })
    expect([status, JSON.parse(text).error]).toEqual([500, 'server_error'])
    expect(text).not.toContain('disk')
    expect(bugs.map(String)).toEqual(['Error: the disk is full'])
  })
  test('the guard ignores forwarded headers of an unlisted proxy, whatever the framework trusts', async () => {
    for (const verifier of [{}, { proxies: ['10.0.0.7'] }, { proxies: () => false }]) {
      expect((await call({ verifier, forwarded, htu: OTHER })).status).toBe(401)
      expect((await call({ verifier, forwarded })).status).toBe(200)
      expect((await call({ verifier, forwarded: { ...forwarded, 'x-forwarded-for': '10.0.0.7' }, htu: OTHER })).status).toBe(401)
    }
  })
  test('the guard takes the origin from the forwarded headers of a listed proxy', async () => {
    for (const verifier of [{ proxies: ['127.0.0.1'] }, { proxies: (address: string) => address.startsWith('127.') }]) {
      expect((await call({ verifier, forwarded, htu: OTHER })).status).toBe(200)
      expect((await call({ verifier, forwarded })).status).toBe(401)
      // A caller may have sent the values before the last one.
      const appended = { 'x-forwarded-proto': 'http, https', 'x-forwarded-host': 'evil.example, other.example' }
      expect((await call({ verifier, forwarded: appended, htu: OTHER })).status).toBe(200)
      // Without forwarded headers, or with an invalid origin in them, publicUrl decides.
      expect((await call({ verifier })).status).toBe(200)
      expect((await call({ verifier, forwarded: { ...forwarded, 'x-forwarded-host': 'other.example/x?' } })).status).toBe(200)
    }
  })
})

test('guardFetch passes the further arguments of Deno, Bun and Workers to the handler, and does not read the body', async () => {
  const serveFetch = guardFetch(newVerifier(), { scope: 'ocr:read' }, async (request, { chain }, env: { name: string }) =>
    Response.json({ chain, body: await request.text(), env: env.name }),
  )
  const request = async (headers: HeadersInit) =>
    new Request('http://internal:8080/a2a?x=1', { method: 'POST', headers, body: '{ "a": 1}' })
  const served = await serveFetch(await request(await signed(`${PUBLIC}/a2a`)), { name: 'worker' })
  expect(await served.json()).toEqual({ chain: [pair.planner.agentId], body: '{ "a": 1}', env: 'worker' })
  const refused = await serveFetch(await request({}), { name: 'worker' })
  const metadata = `resource_metadata="${registry.issuer}/.well-known/oauth-protected-resource/agents/${pair.ocr.agentId}"`
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, `DPoP algs="ES256 EdDSA", ${metadata}, scope="ocr:read"`])
  const challengeOf = async (needs: { scope: string }, headers: HeadersInit) => {
    const serve = guardFetch(newVerifier(), needs, async () => new Response())
    const { status, headers: received } = await serve(await request(headers))
    return [status, received.get('www-authenticate')]
  }
  expect(await challengeOf({ scope: 'ocr:read' }, { authorization: 'DPoP x' })).toEqual([
    401,
    `DPoP error="invalid_token", algs="ES256 EdDSA", ${metadata}, scope="ocr:read"`,
  ])
  expect(await challengeOf({ scope: 'ocr:admin' }, await signed(`${PUBLIC}/a2a`))).toEqual([
    403,
    `DPoP error="insufficient_scope", algs="ES256 EdDSA", ${metadata}, scope="ocr:read ocr:admin"`,
  ])
})

test.each([
  undefined,
  {},
  { scope: '' },
  { scopes: 'ocr:read' },
  { scope: 'ocr:read', tols: 'scan' },
  { scope: undefined },
])('no guard is created with the needs %j, which would accept every valid token; `any` says so', (needs) => {
  const verifier = newVerifier()
  const attempts = [
    () => guard(verifier, needs as never),
    () => guardFastify(verifier, needs as never),
    () => guardHono(verifier, needs as never),
    () => guardFetch(verifier, needs as never, () => new Response()),
    () => guardA2A({} as never, { verifier, needs: { GetTask: (needs ?? {}) as never } }),
    () => guardA2A({} as never, { verifier, needs: { GetTasks: { scope: 'ocr:read' } } as never }),
  ]
  for (const attempt of attempts) expect(attempt).toThrow(expect.objectContaining({ reason: 'bad_input' }))
  guard(verifier, 'any')
  guardA2A({} as never, { verifier, needs: needsForAll('any') })
})

test('publicUrl includes the path prefix that a proxy removes; an invalid publicUrl is an error when the verifier is created', async () => {
  const behind = newVerifier({ publicUrl: 'https://gateway.example/ocr/' })
  const headers = await signed('https://gateway.example/ocr/a2a')
  expect((await behind.verify({ method: 'POST', url: '/a2a?page=1', headers })).chain).toEqual([pair.planner.agentId])
  for (const publicUrl of [
    'ocr.example',
    'ftp://ocr.example',
    'https://ocr.example/?a',
    'https://ocr.example/#a',
    'https://me@ocr.example',
    '',
  ])
    expect(() => newVerifier({ publicUrl }), publicUrl).toThrow('publicUrl must be')
})

test('a listed IPv4 proxy is recognised on an IPv6 socket; a request target that is not a path is refused', async () => {
  const verifier = newVerifier({ proxies: ['10.0.0.7'] })
  const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'other.example' }
  const headers = { ...(await signed('https://other.example/a2a')), ...forwarded }
  await expect(verifier.verify({ method: 'POST', url: '/a2a', headers, peer: '::ffff:10.0.0.8' })).rejects.toThrow('`htu`')
  expect((await verifier.verify({ method: 'POST', url: '/a2a', headers, peer: '::ffff:10.0.0.7' })).taskId).toBeUndefined()
  for (const url of ['http://ocr.example/a2a', '.evil.example/a2a', '*', ''])
    await expect(verifier.verify({ method: 'POST', url, headers })).rejects.toMatchObject({ reason: 'invalid_token' })
})
