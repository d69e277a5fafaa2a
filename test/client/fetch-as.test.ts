import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newFetchAs } from '../../src/client/fetch-as.js'
import type { TokenDeps } from '../../src/client/tokens.js'
import { newEs256Signer } from '../../src/credentials/jose/sign.js'
import { type Reason, refuse } from '../../src/errors.js'
import { systemRandom } from '../../src/lib/random.js'
import { setClock } from '../set-clock.js'

/** The peer accepts every token except the revoked ones and those whose calls are used up. */
const revoked = new Set<string>()
const usedUp = new Set<string>()
let received: string[] = []
let server: Server
let url: string
beforeAll(async () => {
  server = createServer((request, response) => {
    const token = String(request.headers.authorization).slice('DPoP '.length)
    received.push(token)
    if (usedUp.has(token))
      return response.writeHead(403, { 'www-authenticate': 'DPoP error="insufficient_budget", algs="ES256"' }).end('used up')
    if (!revoked.has(token)) return response.end('served')
    response.writeHead(401, { 'www-authenticate': 'DPoP realm="peer", error="invalid_token"' }).end('revoked')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/work`
})
afterAll(() => server.close())

const clock = setClock()
async function calling(exchange: () => string) {
  received = []
  revoked.clear()
  usedUp.clear()
  const deps = { signer: await newEs256Signer(), clock, random: systemRandom, fetch: globalThis.fetch } as unknown as TokenDeps
  let exchanges = 0
  const call = newFetchAs(deps, async () => {
    exchanges++
    return { accessToken: exchange(), expiresAt: clock.now() + 300, scope: '' } as never
  })
  return { call, exchanges: () => exchanges }
}

test('a revoked token is replaced once for all requests that are refused at the same time', async () => {
  const tokens = ['first', 'second', 'third']
  const { call, exchanges } = await calling(() => tokens.shift() ?? 'none')
  expect(await (await call(url)).text()).toBe('served')
  revoked.add('first')
  const statuses = await Promise.all([1, 2, 3].map(async () => (await call(url, { method: 'POST', body: 'work' })).status))
  expect([statuses, exchanges(), received.filter((token) => token === 'third')]).toEqual([[200, 200, 200], 2, []])
})

test('requests that begin at the same time share one exchange', async () => {
  const { call, exchanges } = await calling(() => 'first')
  const statuses = await Promise.all([1, 2, 3].map(async () => (await call(url)).status))
  expect([statuses, exchanges()]).toEqual([[200, 200, 200], 1])
})

test('a token whose calls are used up is replaced, as long as the budget has room for another one', async () => {
  const tokens = ['first', 'second']
  const { call, exchanges } = await calling(
    () => tokens.shift() ?? refuse('insufficient_budget', 'nothing is left', { available: { calls: 0 } }),
  )
  expect((await call(url)).status).toBe(200)
  usedUp.add('first')
  const statuses = await Promise.all([1, 2].map(async () => (await call(url)).status))
  expect([statuses, exchanges()]).toEqual([[200, 200], 2])
  usedUp.add('second')
  for (const exchanged of [3, 4]) {
    await expect(call(url)).rejects.toMatchObject({ reason: 'insufficient_budget', available: { calls: 0 } })
    expect(exchanges()).toBe(exchanged)
  }
})

test('if the new token is refused too, or there is none, the caller gets the response of the peer', async () => {
  const tokens = ['first', 'second']
  const { call, exchanges } = await calling(() => {
    const [token] = tokens.splice(0, 1)
    if (token === undefined) throw new Error('the agent was revoked')
    return token
  })
  revoked.add('first').add('second')
  const response = await call(url)
  expect([response.status, await response.text(), received, exchanges()]).toEqual([401, 'revoked', ['first', 'second'], 2])
  expect((await call(url)).status).toBe(401)
  expect([received, exchanges()]).toEqual([['first', 'second', 'second'], 3])
})

/** A peer that requires the scopes of the token's name, such as `read write`. */
async function demanding(demanded: () => string) {
  let refusal: Reason | undefined
  const peer = createServer((request, response) => {
    const held = String(request.headers.authorization).slice('DPoP '.length).split('.')
    const needed = demanded()
    if (needed.split(' ').every((scope) => held.includes(scope))) return response.end('served')
    return response.writeHead(403, { 'www-authenticate': `DPoP error="insufficient_scope", scope="${needed}"` }).end('refused')
  }).listen(0, '127.0.0.1')
  await once(peer, 'listening')
  const deps = { signer: await newEs256Signer(), clock, random: systemRandom, fetch: globalThis.fetch } as unknown as TokenDeps
  const requested: (string | undefined)[] = []
  const call = newFetchAs(deps, async (scope) => {
    requested.push(scope)
    if (scope?.includes('admin')) throw new Error('invalid_scope')
    if (scope !== undefined && refusal !== undefined) refuse(refusal, 'no such token')
    return { accessToken: (scope ?? 'read').replaceAll(' ', '.'), expiresAt: clock.now() + 300, scope: scope ?? 'read' } as never
  })
  const address = `http://127.0.0.1:${(peer.address() as AddressInfo).port}/`
  /** The registry refuses tokens with other scopes than the first one. */
  const refuseWider = (reason: Reason) => {
    refusal = reason
  }
  return { call: async () => (await call(address)).status, requested, refuseWider, close: () => peer.close() }
}

test('scopes that the peer names are requested once, for all requests at the same time, and kept when the token is replaced', async () => {
  let demanded = 'read'
  const { call, requested, refuseWider, close } = await demanding(() => demanded)
  expect(await call()).toBe(200)
  demanded = 'read write'
  expect(await Promise.all([call(), call(), call()])).toEqual([200, 200, 200])
  expect(requested).toEqual([undefined, 'read write'])
  clock.advance(300)
  expect(await call()).toBe(200)
  expect(requested).toEqual([undefined, 'read write', 'read write'])
  // If the registry refuses them now, the first scopes still work
  clock.advance(300)
  refuseWider('invalid_scope')
  demanded = 'read'
  expect(await call()).toBe(200)
  expect(requested.slice(3)).toEqual(['read write', undefined])
  close()
})

test('if the budget has no room for the token with more scopes, the request throws the refusal of the registry', async () => {
  const { call, requested, refuseWider, close } = await demanding(() => 'read write')
  refuseWider('insufficient_budget')
  await expect(call()).rejects.toMatchObject({ reason: 'insufficient_budget' })
  expect(requested).toEqual([undefined, 'read write'])
  close()
})

test('if the registry refuses the scopes, or the peer names none that the token lacks, the caller gets the 403', async () => {
  let demanded = 'admin'
  const { call, requested, close } = await demanding(() => demanded)
  expect(await call()).toBe(403)
  expect(requested).toEqual([undefined, 'admin read'])
  // No list of scopes
  demanded = 'a  b'
  expect(await call()).toBe(403)
  demanded = 'read'
  expect(await call()).toBe(200)
  expect(requested).toHaveLength(2)
  close()
})
