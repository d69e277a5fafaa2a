import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newFetchAs } from '../../src/client/fetch-as.js'
import type { TokenDeps } from '../../src/client/tokens.js'
import { newEs256Signer } from '../../src/credentials/jose/sign.js'
import { systemRandom } from '../../src/lib/random.js'
import { setClock } from '../set-clock.js'

/** A peer that takes every token but the dead ones. */
const dead = new Set<string>()
let asked: string[] = []
let server: Server
let url: string
beforeAll(async () => {
  server = createServer((request, response) => {
    const token = String(request.headers.authorization).slice('DPoP '.length)
    asked.push(token)
    if (!dead.has(token)) return response.end('served')
    response.writeHead(401, { 'www-authenticate': 'DPoP realm="peer", error="invalid_token"' }).end('dead')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/work`
})
afterAll(() => server.close())

const clock = setClock()
async function calling(exchange: () => string) {
  asked = []
  dead.clear()
  const deps = { signer: await newEs256Signer(), clock, random: systemRandom, fetch: globalThis.fetch } as unknown as TokenDeps
  let exchanges = 0
  const call = newFetchAs(deps, async () => {
    exchanges++
    return { accessToken: exchange(), expiresAt: clock.now() + 300, scope: '' } as never
  })
  return { call, exchanges: () => exchanges }
}

test('a token that was ended is replaced once, for all who find it dead at the same time', async () => {
  const tokens = ['first', 'second', 'third']
  const { call, exchanges } = await calling(() => tokens.shift() ?? 'none')
  expect(await (await call(url)).text()).toBe('served')
  dead.add('first')
  const answers = await Promise.all([1, 2, 3].map(async () => (await call(url, { method: 'POST', body: 'work' })).status))
  expect([answers, exchanges(), asked.filter((one) => one === 'third')]).toEqual([[200, 200, 200], 2, []])
})

test('where the next one is dead too, or there is none, the answer is the peer’s', async () => {
  const tokens = ['first', 'second']
  const { call, exchanges } = await calling(() => {
    const [token] = tokens.splice(0, 1)
    if (token === undefined) throw new Error('it has ended')
    return token
  })
  dead.add('first').add('second')
  const answer = await call(url)
  expect([answer.status, await answer.text(), asked, exchanges()]).toEqual([401, 'dead', ['first', 'second'], 2])
  expect((await call(url)).status).toBe(401)
  expect([asked, exchanges()]).toEqual([['first', 'second', 'second'], 3])
})
