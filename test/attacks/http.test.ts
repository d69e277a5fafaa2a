import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { createVerifier } from '../../src/verifier/index.js'
import { proofOf } from '../oauth/requests.js'
import { aPair, reasonOf } from '../stories/actors.js'
import { attack, attackSetup, raw } from './attack.js'

const setup = attackSetup()
const json = { 'content-type': 'application/json' }
const post = (path: string, body: string, headers: Record<string, string> = json) =>
  raw(setup.registry, path, { method: 'POST', body, headers })

attack(
  'NOD-01',
  'a batch of more than ten calls is refused',
  setup,
  async () => {
    expect((await raw(setup.registry, `/trpc/${Array(11).fill('system.info').join(',')}?batch=1`))[1]).toBe('batch_too_large')
    const [status] = await raw(setup.registry, `/trpc/${Array(1300).fill('system.info').join(',')}?batch=1`).catch(() => [431])
    expect([400, 404, 431, 414]).toContain(status)
  },
  { writes: false },
)
attack(
  'NOD-02',
  'a body of 30 MB gets 413 before it is sent',
  setup,
  async () => {
    const status = await new Promise<number>((resolve, reject) => {
      const socket = connect(setup.registry.servers[0]?.port ?? 0, '127.0.0.1')
      socket.on('error', reject).on('data', (data) => {
        resolve(Number(/^HTTP\/1.1 (\d{3})/.exec(String(data))?.[1]))
        socket.destroy()
      })
      socket.write('POST /trpc/members.join HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 31457280\r\n\r\n"x')
    })
    expect(status).toBe(413)
  },
  { writes: false },
)
attack(
  'NOD-04',
  'procedure paths that name members of every object are refused',
  setup,
  async () => {
    for (const path of ['__proto__', 'constructor', 'toString', 'system.info._def', 'x.%2e%2e', 'x'.repeat(10_000)])
      expect([404, 431, 414]).toContain((await raw(setup.registry, `/trpc/${path}`).catch(() => [431]))[0])
  },
  { writes: false },
)
attack(
  'NOD-05',
  'JSON member names that pollute prototypes get bad_input',
  setup,
  async () => {
    for (const body of ['{"__proto__":{"a":1}}', '{"constructor":{"prototype":{"a":1}}}', '{"name":{"__proto__":{}}}'])
      expect(await post('/trpc/members.join', body)).toEqual([400, 'bad_input'])
  },
  { writes: false },
)
attack(
  'NOD-06',
  'JSON nested 10,000 levels deep gets bad_input',
  setup,
  async () => {
    for (const body of ['['.repeat(10_000), '{"a":'.repeat(10_000)])
      expect(await post('/trpc/members.join', body)).toEqual([400, 'bad_input'])
  },
  { writes: false },
)
attack(
  'NOD-07',
  'cross-origin requests that a browser sends without a preflight are refused',
  setup,
  async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'])
      expect(await post('/trpc/members.join', '{}', { 'content-type': type })).toEqual([415, 'unsupported_media_type'])
    expect((await post('/trpc/system.info', '{}', { ...json, 'x-http-method-override': 'GET' }))[0]).toBe(405)
  },
  { writes: false },
)

/** Sends raw bytes and returns the status of the response, or 0 if the connection closes without one. */
const statusOfBytes = (bytes: string) =>
  new Promise<number>((resolve) => {
    const socket = connect(setup.registry.servers[0]?.port ?? 0, '127.0.0.1')
    socket
      .on('error', () => resolve(0))
      .on('close', () => resolve(0))
      .on('data', (data) => {
        resolve(Number(/^HTTP\/1.1 (\d{3})/.exec(String(data))?.[1]))
        socket.destroy()
      })
    socket.write(bytes)
  })
attack(
  'NOD-08',
  'oversized headers and smuggled requests are refused',
  setup,
  async () => {
    expect([431, 400]).toContain(await statusOfBytes(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`))
    expect([400, 0]).toContain(
      await statusOfBytes('POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    )
    expect([400, 0]).toContain(await statusOfBytes('GET / HTTP/1.1\nHost x\n\n'))
  },
  { writes: false },
)
test('a form with thousands of parameters gets invalid_request, a form of 1 MB body_too_large', async () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  for (const unit of ['&', '&a', 'a=&', '&a=%41'])
    expect(await post('/oauth/token', `grant_type=x${unit.repeat(9000)}`, form)).toEqual([400, 'invalid_request'])
  expect(await post('/oauth/token', `grant_type=x${'&a'.repeat(500_000)}`, form)).toEqual([413, 'body_too_large'])
})

attack('TEX-18', 'a token is refused by an agent that is not its audience, and for a scope that it lacks', setup, async () => {
  const pair = await aPair(setup.registry)
  const feed = await pair.ocr.subscribe()
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  const request = async (path: string) => ({
    method: 'POST',
    url: path,
    headers: {
      authorization: `DPoP ${accessToken}`,
      dpop: await proofOf(setup.registry, pair.planner.signer, { path: '', accessToken }, { htu: `https://a.example${path}` }),
    },
  })
  const verifierOf = (audience: string) =>
    createVerifier({ issuer: setup.registry.issuer, audience, publicUrl: 'https://a.example', standing: feed, clock: setup.registry.clock })
  expect(await reasonOf(verifierOf(setup.ocr.audience).verify(await request('/a')))).toBe('invalid_token')
  expect(await reasonOf(verifierOf(pair.ocr.audience).verify(await request('/b'), { scope: 'ocr:admin' }))).toBe('insufficient_scope')
  expect(await reasonOf(verifierOf(pair.ocr.audience).verify(await request('/c'), { scope: 'ocr:read' }))).toBe('done')
  feed.close()
})

attack(
  'AUD-05',
  'the public listener serves no health endpoint',
  setup,
  async () => {
    for (const path of ['/readyz', '/livez', '/metrics', '/debug']) expect((await raw(setup.registry, path))[0]).toBe(404)
    const [server] = setup.registry.servers
    expect((await fetch(`http://127.0.0.1:${server?.adminPort}/readyz`)).status).toBe(200)
  },
  { writes: false },
)
