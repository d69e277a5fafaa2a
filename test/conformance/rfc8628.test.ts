// The device authorization grant, one test per requirement.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimsOf } from '../claims-of.js'
import { newBrowser, signedIn } from '../identity/people/browser.js'
import { type PersonWorld, personWorld } from '../oauth/authorize/person-world.js'
import { answer, askFor, consentPage, DEVICE_CODE, DEVICE_ENDPOINT, type Device, poll, typeCode } from '../oauth/device/device.js'
import { newEs256Signer, postForm } from '../oauth/requests.js'
import { type Registry, startRegistry } from '../registry.js'

let registry: Registry
let world: PersonWorld
let device: Device
beforeAll(async () => {
  registry = await startRegistry({ limits: 'on', servers: 1 })
  world = await personWorld(registry)
  device = { client: world.client, signer: await newEs256Signer() }
})
afterAll(() => registry[Symbol.asyncDispose]())

const refusal = (error: string, status = 400) => ({ status, body: { error } })
const ask = async (more: Record<string, string> = {}) => {
  const { status, body } = await askFor(registry, device, { resource: world.ocr.audience, scope: 'ocr:read', ...more })
  if (status !== 200) throw new Error(JSON.stringify(body))
  return body
}

test('§3.1: a client that cannot authenticate is refused with invalid_client', async () => {
  expect(await postForm(registry, DEVICE_ENDPOINT, { client_id: world.client.agentId })).toMatchObject(refusal('invalid_client', 401))
  const unknown = { client_id: `cli_${'A'.repeat(22)}` }
  expect(await postForm(registry, DEVICE_ENDPOINT, unknown)).toMatchObject(refusal('invalid_client', 401))
})

test('§3.1: an unknown scope or resource is refused before a person is asked', async () => {
  expect(await askFor(registry, device, { resource: world.ocr.audience, scope: 'none' })).toMatchObject(refusal('invalid_scope'))
  expect(await askFor(registry, device, { resource: 'https://unknown.example/' })).toMatchObject(refusal('invalid_target'))
})

test('§3.2: the response has the codes, the addresses, the lifetime and the interval, and is not cached', async () => {
  const { body, headers } = await askFor(registry, device, { resource: world.ocr.audience })
  expect(headers.get('cache-control')).toBe('no-store')
  expect(body).toEqual({
    device_code: expect.stringMatching(/^fam_[\w-]{22}\.[\w-]{43}$/),
    user_code: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/),
    verification_uri: `${registry.issuer}/device`,
    verification_uri_complete: `${registry.issuer}/device?user_code=${body.user_code}`,
    expires_in: 600,
    interval: 5,
  })
  for (const text of await registry.stored()) for (const code of [body.device_code, body.user_code]) expect(text.includes(code)).toBe(false)
})

test('§3.3: the page asks for a sign-in first and returns to itself; the code is matched without regard to case and punctuation', async () => {
  const { user_code: code } = await ask()
  expect(await newBrowser(registry.issuer).get('/device')).toMatchObject({ status: 303, location: '/sign-in' })
  const shown = await typeCode(world.browser, ` ${code.toLowerCase().replace('-', ' ')}`)
  expect(shown).toMatchObject({ status: 303, location: expect.stringContaining('/oauth/authorize?') })
})

test('§3.3: the page of the consent names the client and the address that asked', async () => {
  const { user_code: code } = await ask()
  const { text } = await consentPage(world.browser, code)
  for (const part of ['Planner', '127.0.0.1', 'ocr:read', 'your own device']) expect(text).toContain(part)
})

test('§3.3.1: with the code in the address the person still compares and confirms it', async () => {
  const { verification_uri_complete: uri, user_code: code, device_code: deviceCode } = await ask()
  const shown = await world.browser.get(uri)
  expect([shown.status, shown.text.includes(`value="${code}"`), /Compare/.test(shown.text)]).toEqual([200, true, true])
  expect(shown.text).not.toContain('ocr:read')
  expect(await poll(registry, device, deviceCode)).toMatchObject(refusal('authorization_pending'))
})

test('§3.4: device_code is required, and another client or key gets invalid_grant, which does not count as a poll', async () => {
  expect(await poll(registry, device, '')).toMatchObject(refusal('invalid_request'))
  expect(await poll(registry, device, 'no code')).toMatchObject(refusal('invalid_grant'))
  const { device_code: code } = await ask()
  expect(await poll(registry, { ...device, client: world.ocr }, code)).toMatchObject(refusal('invalid_grant'))
  expect(await poll(registry, { signer: device.signer }, code)).toMatchObject(refusal('invalid_grant'))
  expect(await poll(registry, { ...device, signer: await newEs256Signer() }, code)).toMatchObject(refusal('invalid_grant'))
  expect(await poll(registry, device, `${code.slice(0, -3)}AAA`)).toMatchObject(refusal('invalid_grant'))
  expect(await poll(registry, device, code)).toMatchObject(refusal('authorization_pending'))
})

test('§3.5: authorization_pending until the person decides; a faster poll gets slow_down and must wait 5 seconds longer', async () => {
  const { device_code: code } = await ask()
  const polled = () => poll(registry, device, code)
  expect(await polled()).toMatchObject(refusal('authorization_pending'))
  registry.clock.advance(4)
  expect(await polled()).toMatchObject(refusal('slow_down'))
  registry.clock.advance(9)
  expect(await polled()).toMatchObject(refusal('slow_down'))
  registry.clock.advance(15)
  expect(await polled()).toMatchObject(refusal('authorization_pending'))
})

test('§3.5: access_denied after the person has denied, and at no time a token', async () => {
  const { device_code: code, user_code: userCode } = await ask()
  const done = await answer(registry, world, userCode, { decision: 'deny' })
  expect([done.status, done.location, done.text.includes('Denied')]).toEqual([200, undefined, true])
  expect(await poll(registry, device, code)).toMatchObject(refusal('access_denied'))
  const again = await typeCode(world.browser, userCode)
  expect([again.status, again.location]).toEqual([400, undefined])
})

test('§3.5: expired_token after the lifetime, also on the page', async () => {
  const { device_code: code, user_code: userCode } = await ask()
  registry.clock.advance(600)
  expect(await poll(registry, device, code)).toMatchObject(refusal('expired_token'))
  expect(await typeCode(world.browser, userCode)).toMatchObject({ status: 400 })
})

test('§3.4, §3.5: after the approval the device gets one token for the person, bound to its key, and a refresh token if it asked', async () => {
  const { device_code: code, user_code: userCode } = await ask({ scope: 'ocr:read offline_access' })
  expect(await answer(registry, world, userCode)).toMatchObject({ status: 200 })
  const first = await poll(registry, device, code)
  expect(first).toMatchObject({
    status: 200,
    body: { token_type: 'DPoP', scope: 'ocr:read', refresh_token: expect.stringMatching(/^fam_/) },
  })
  expect(claimsOf(first.body.access_token)).toMatchObject({ sub: expect.stringMatching(/^per_/), act: { sub: world.client.agentId } })
  expect(first.body.client_id).toBeUndefined()
  expect(await poll(registry, device, code)).toMatchObject(refusal('invalid_grant'))
  expect(await world.ocr.introspect(first.body.access_token)).toMatchObject({ active: true })
  registry.clock.advance(6)
  expect(await poll(registry, device, code)).toMatchObject(refusal('invalid_grant'))
  expect(await world.ocr.introspect(first.body.access_token)).toEqual({ active: false })
})

test('§4: the metadata names the endpoint and the grant type', async () => {
  const metadata = await (await registry.fetch('/.well-known/oauth-authorization-server')).json()
  expect(metadata).toMatchObject({ device_authorization_endpoint: `${registry.issuer}${DEVICE_ENDPOINT}` })
  expect(metadata.grant_types_supported).toContain(DEVICE_CODE)
})

test('§5.1: after 5 wrong codes in a session, or 20 from an address, every code is refused with 429', async () => {
  registry.clock.advance(600)
  const { user_code: code } = await ask()
  const wrong = async () => {
    const browser = await signedIn(registry, world.person)
    for (let i = 0; i < 5; i++) expect(await typeCode(browser, 'BBBB-BBBB')).toMatchObject({ status: 400 })
    return browser
  }
  expect(await typeCode(await wrong(), code)).toMatchObject({ status: 429 })
  expect(await typeCode(world.browser, code)).toMatchObject({ status: 303 })
  for (let i = 0; i < 3; i++) await wrong()
  expect(await typeCode(world.browser, code)).toMatchObject({ status: 429 })
  registry.clock.advance(300)
  expect(await typeCode(world.browser, code)).toMatchObject({ status: 303 })
  registry.clock.advance(600)
})

test('§5.4: another person who gets the address of the consent page is refused: it has not compared the code', async () => {
  const { user_code: code } = await ask()
  const { location = '' } = await typeCode(world.browser, code)
  const other = await signedIn(registry, world.admin)
  expect(await other.get(location)).toMatchObject({ status: 400 })
  expect(await world.browser.get(location)).toMatchObject({ status: 200 })
})
