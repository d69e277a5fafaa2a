// OAuth for applications on the device of a person, one test per requirement.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decide, type PersonWorld, pageOf, personWorld, push, REDIRECT, redeem, returned } from '../oauth/authorize/person-world.js'
import { type Registry, startRegistry } from '../registry.js'

let registry: Registry
let world: PersonWorld
const REGISTERED = ['http://127.0.0.1/cb', 'http://[::1]/cb', 'http://localhost/cb', 'com.example.app:/cb', REDIRECT]
beforeAll(async () => {
  registry = await startRegistry()
  world = await personWorld(registry)
  await world.admin.mutate('agents.change', { agentId: world.client.agentId, redirectUris: REGISTERED })
})
afterAll(() => registry[Symbol.asyncDispose]())

const register = (uri: string) => world.admin.mutate('agents.change', { agentId: world.client.agentId, redirectUris: [uri] })
const pushed = (redirectUri: string, more = {}) => push(registry, world, { redirect_uri: redirectUri, prompt: 'consent', ...more })
const answered = async (redirectUri: string) => {
  const { body } = await pushed(redirectUri)
  return decide(world.browser, await world.browser.get(pageOf(world, body.request_uri)))
}

test('§6, §8.1: PKCE is required of every application', async () => {
  const without = { code_challenge: undefined, code_challenge_method: undefined }
  expect(await pushed('http://127.0.0.1:8421/cb', without)).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
})

test('§7.1: a private-use scheme is a reversed domain name; another one is refused at registration', async () => {
  expect((await answered('com.example.app:/cb')).location).toMatch(/^com\.example\.app:\/cb\?/)
  for (const uri of ['app:/cb', 'javascript:alert(1)', 'data:text/html,x'])
    await expect(register(uri)).rejects.toMatchObject({ reason: 'invalid_redirect_uri' })
})

test('§7.2: a claimed https redirect is compared as it is', async () => {
  expect((await answered(REDIRECT)).location).toMatch(/^https:\/\/client\.example\/callback\?/)
  expect(await pushed('https://client.example:8443/callback')).toMatchObject({ status: 400 })
})

test.each([
  '127.0.0.1',
  '[::1]',
  'localhost',
])('§7.3, §8.3: a loopback redirect to %s may have any port, but no other path', async (host) => {
  const done = await answered(`http://${host}:51004/cb`)
  expect(done.location).toMatch(new RegExp(`^http://${host.replace(/[[\]]/g, '\\$&')}:51004/cb\\?`))
  expect(await pushed(`http://${host}:51004/other`)).toMatchObject({ status: 400 })
  expect(await pushed(`https://${host}:51004/cb`)).toMatchObject({ status: 400 })
})

test('§7.3: a code is redeemed with the port of its request only', async () => {
  const code = returned(await answered('http://127.0.0.1:51004/cb')).code ?? ''
  const form = { resource: world.ocr.audience }
  expect(await redeem(registry, world, code, { ...form, redirect_uri: 'http://127.0.0.1:51005/cb' })).toMatchObject({
    body: { error: 'invalid_grant' },
  })
  expect(await redeem(registry, world, code, { ...form, redirect_uri: 'http://127.0.0.1:51004/cb' })).toMatchObject({ status: 200 })
})

test('§8.3: a redirect without https to another host than loopback is refused at registration', async () => {
  await expect(register('http://client.example/cb')).rejects.toMatchObject({ reason: 'invalid_redirect_uri' })
})

test('§8.6: the page warns of a redirect to the device, and is shown for it although a consent covers the request', async () => {
  await answered('http://127.0.0.1:51004/cb')
  const { body } = await push(registry, world, { redirect_uri: 'http://127.0.0.1:51004/cb' })
  const shown = await world.browser.get(pageOf(world, body.request_uri))
  expect([shown.status, shown.text.includes('runs on your device')]).toEqual([200, true])
})

test('§8.10: every response names the issuer', async () => {
  expect(returned(await answered('http://127.0.0.1:51004/cb')).iss).toBe(registry.issuer)
})
