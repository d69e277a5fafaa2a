// The metadata document and the guard of a protected resource, in each framework as docs/RESOURCES.md shows it.
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { createVerifier, guard, guardFastify, guardFetch, guardHono, protectedResource } from '../../src/verifier/index.js'

const resource = 'http://127.0.0.1:9/mcp'
const verifier = createVerifier({
  issuer: 'http://127.0.0.1:8',
  resource,
  publicUrl: 'http://127.0.0.1:9',
  standing: { introspect: async () => ({ active: false }) },
})
const metadata = protectedResource({ verifier, scopes: ['files:read'] })
const needs = { scope: 'files:read' }

type Get = (path: string) => Promise<Response>
interface Served extends AsyncDisposable {
  readonly get: Get
}
const inProcess = (get: Get): Served => ({ get, [Symbol.asyncDispose]: async () => undefined })
async function listening(listener: RequestListener): Promise<Served> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    get: (path) => fetch(origin + path),
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

const frameworks: Readonly<Record<string, () => Promise<Served>>> = {
  'node:http': () => {
    const protect = guard(verifier, needs)
    return listening((req, res) => metadata.middleware(req, res, () => protect(req, res, () => res.end('the file'))))
  },
  Express: () => {
    const app = express()
    app.use(metadata.middleware)
    app.use('/mcp', guard(verifier, needs), (_, res) => void res.end('the file'))
    return listening(app)
  },
  Fastify: async () => {
    const app = fastify()
    app.get(metadata.path, () => metadata.document)
    app.get('/mcp', { onRequest: guardFastify(verifier, needs) }, () => 'the file')
    const origin = await app.listen({ port: 0, host: '127.0.0.1' })
    return { get: (path) => fetch(origin + path), [Symbol.asyncDispose]: () => app.close() }
  },
  Hono: async () => {
    const app = new Hono()
    app.get(metadata.path, () => metadata.response())
    app.get('/mcp', guardHono(verifier, needs), (c) => c.text('the file'))
    return inProcess(async (path) => app.request(path))
  },
  fetch: async () => {
    const protect = guardFetch(verifier, needs, () => new Response('the file'))
    const handler = (request: Request) => (new URL(request.url).pathname === metadata.path ? metadata.response() : protect(request))
    return inProcess(async (path) => handler(new Request(`http://127.0.0.1:9${path}`)))
  },
}

test.each(Object.entries(frameworks))('%s serves the document, and challenges a request without a token', async (_, serve) => {
  await using served = await serve()
  const document = await served.get('/.well-known/oauth-protected-resource/mcp')
  expect([document.status, await document.json()]).toEqual([200, JSON.parse(JSON.stringify(metadata.document))])
  const refused = await served.get('/mcp')
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
    401,
    expect.stringMatching(
      /^DPoP algs="[^"]+", resource_metadata="http:\/\/127\.0\.0\.1:9\/\.well-known\/oauth-protected-resource\/mcp", scope="files:read"$/,
    ),
  ])
  expect((await served.get('/.well-known/oauth-protected-resource/other')).status).not.toBe(200)
})

test('a missing verifier and missing scopes are refused by name', () => {
  for (const scopes of [undefined, [], 'files:read'])
    expect(() => protectedResource({ verifier, scopes } as never)).toThrow('protectedResource: scopes')
  expect(() => protectedResource({ scopes: ['files:read'] } as never)).toThrow('protectedResource: verifier')
})
