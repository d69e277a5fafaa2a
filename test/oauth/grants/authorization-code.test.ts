import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newEs256Signer } from '../../../src/credentials/jose/sign.js'
import { claimsOf } from '../../claims-of.js'
import { aCard, type Registry, startRegistry } from '../../registry.js'
import { codeFor, decide, type PersonWorld, pageOf, personWorld, push, redeem, refresh, returned } from '../authorize/person-world.js'
import { exchangeForm, formWithAssertion, freshNonce, postForm, proofOf, tokenRequest } from '../requests.js'

let registry: Registry
let world: PersonWorld
beforeAll(async () => {
  registry = await startRegistry()
  world = await personWorld(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

const invalidGrant = { status: 400, body: { error: 'invalid_grant' } }
const OCR = () => ({ resource: world.ocr.audience })
const OFFLINE = () => ({ ...OCR(), scope: 'ocr:read offline_access' })
const isActive = async (token: string): Promise<boolean> => {
  const { active } = await world.ocr.introspect(token)
  return active === true
}
/** A decision that allows refresh tokens. */
const month = () => ({
  duration: 'until',
  until: new Date((registry.clock.now() + 20 * 86_400) * 1000).toISOString().slice(0, 10),
})

describe('a code', () => {
  test('is redeemed for a token of the one audience that was authorized', async () => {
    const redeemed = await redeem(registry, world, await codeFor(registry, world, OCR()))
    expect(redeemed).toMatchObject({ status: 200, body: { token_type: 'DPoP', scope: 'ocr:admin ocr:read' } })
    expect(redeemed.body.refresh_token).toBeUndefined()
    expect(claimsOf(redeemed.body.access_token)).toMatchObject({ aud: world.ocr.audience, act: { sub: world.client.agentId } })
  })

  test('with several audiences needs the name of one, and of one that was authorized', async () => {
    const code = await codeFor(registry, world)
    expect(await redeem(registry, world, code)).toMatchObject({ status: 400, body: { error: 'invalid_target' } })
    expect(await redeem(registry, world, code, { resource: world.archive.audience })).toMatchObject({ body: { error: 'invalid_target' } })
    expect(await redeem(registry, world, code, OCR())).toMatchObject({ status: 200 })
  })

  test.each([
    ['another redirect_uri', { redirect_uri: 'https://client.example/other' }],
    ['no redirect_uri', { redirect_uri: '' }],
    ['another code_verifier', { code_verifier: 'w'.repeat(43) }],
    ['no code_verifier', { code_verifier: '' }],
    ['a code_verifier of 42 characters', { code_verifier: 'v'.repeat(42) }],
  ])('with %s is refused and stays good', async (_, more) => {
    const code = await codeFor(registry, world, OCR())
    expect(await redeem(registry, world, code, more)).toMatchObject(invalidGrant)
    expect(await redeem(registry, world, code)).toMatchObject({ status: 200 })
  })

  test('of another client is refused and stays good', async () => {
    const code = await codeFor(registry, world, OCR())
    const thief = { ...world, client: world.archive }
    expect(await redeem(registry, thief, code)).toMatchObject(invalidGrant)
    expect(await redeem(registry, world, code)).toMatchObject({ status: 200 })
  })

  test.each(['fam_x', 'x', `fam_${'a'.repeat(22)}.${'b'.repeat(43)}`])('that was never issued (%s) is refused', async (code) => {
    expect(await redeem(registry, world, code)).toMatchObject(invalidGrant)
  })

  test('expires after 60 seconds', async () => {
    const code = await codeFor(registry, world, OCR())
    registry.clock.advance(61)
    expect(await redeem(registry, world, code)).toMatchObject(invalidGrant)
  })

  test('that is used again later ends what the first use got', async () => {
    const code = await codeFor(registry, world, OFFLINE(), month())
    const { body } = await redeem(registry, world, code)
    expect(await isActive(body.access_token)).toBe(true)
    registry.clock.advance(10)
    expect(await redeem(registry, world, code)).toMatchObject(invalidGrant)
    expect(await isActive(body.access_token)).toBe(false)
    expect(await refresh(registry, world, body.refresh_token)).toMatchObject(invalidGrant)
  })

  test('that is used again with another verifier ends what the first use got, also at once', async () => {
    const code = await codeFor(registry, world, OCR())
    const { body } = await redeem(registry, world, code)
    expect(await redeem(registry, world, code, { code_verifier: 'w'.repeat(43) })).toMatchObject(invalidGrant)
    expect(await isActive(body.access_token)).toBe(false)
  })

  test('that another client uses again ends what the first use got', async () => {
    const code = await codeFor(registry, world, OCR())
    const { body } = await redeem(registry, world, code)
    expect(await redeem(registry, { ...world, client: world.archive }, code)).toMatchObject(invalidGrant)
    expect(await isActive(body.access_token)).toBe(false)
  })

  test('that was bound to a key by the pushed request is good with that key only', async () => {
    const other = await newEs256Signer()
    const nonce = await freshNonce(registry, world.client)
    const proof = await proofOf(registry, other, { path: '/oauth/par', nonce })
    const code = await codeFor(registry, world, OCR(), {}, { dpop: proof })
    expect(await redeem(registry, world, code)).toMatchObject(invalidGrant)
    expect(await redeem(registry, world, code, {}, { signer: other })).toMatchObject({ status: 200 })
  })

  test('is void once the person has revoked the consent, or narrowed it so that nothing is left', async () => {
    const code = await codeFor(registry, world, { ...OCR(), scope: 'ocr:admin' })
    const { items } = await world.person.query<{ items: { consentId: string; audience: string; state: string }[] }>('consents.list', {})
    const consent = items.find(({ audience, state }) => audience === world.ocr.audience && state === 'valid')
    await world.person.mutate('consents.revoke', { consentId: consent?.consentId })
    expect(await redeem(registry, world, code)).toMatchObject(invalidGrant)
  })
})

describe('a refresh token', () => {
  const offline = async () => (await redeem(registry, world, await codeFor(registry, world, OFFLINE(), month()))).body

  test('is issued for offline_access only, and not for a consent of once', async () => {
    expect((await offline()).refresh_token).toMatch(/^fam_.{22}\..{43}$/)
    const once = await redeem(registry, world, await codeFor(registry, world, { ...OFFLINE(), prompt: 'consent' }, { duration: 'once' }))
    expect(once.status).toBe(200)
    expect(once.body.refresh_token).toBeUndefined()
  })

  test('is replaced at each use; the older one ends the family', async () => {
    const first = await offline()
    const second = await refresh(registry, world, first.refresh_token)
    expect(second).toMatchObject({ status: 200, body: { scope: 'ocr:read' } })
    expect(second.body.refresh_token).not.toBe(first.refresh_token)
    const third = await refresh(registry, world, second.body.refresh_token)
    expect(third.status).toBe(200)
    expect(await refresh(registry, world, first.refresh_token)).toMatchObject(invalidGrant)
    for (const { body } of [second, third]) expect(await isActive(body.access_token)).toBe(false)
    expect(await refresh(registry, world, third.body.refresh_token)).toMatchObject(invalidGrant)
  })

  test('may be used again with the same Idempotency-Key within a minute, and gives the same next one', async () => {
    const first = await offline()
    const key = { 'idempotency-key': 'one' }
    const second = await refresh(registry, world, first.refresh_token, {}, key)
    registry.clock.advance(30)
    const again = await refresh(registry, world, first.refresh_token, {}, key)
    expect(again).toMatchObject({ status: 200, body: { refresh_token: second.body.refresh_token } })
    expect(again.body.access_token).not.toBe(second.body.access_token)
    expect(await refresh(registry, world, second.body.refresh_token)).toMatchObject({ status: 200 })
  })

  test.each([
    ['another Idempotency-Key', 'two', 0],
    ['the same Idempotency-Key after a minute', 'one', 61],
  ])('that is used again with %s ends the family', async (_, retryKey, seconds) => {
    const first = await offline()
    const second = await refresh(registry, world, first.refresh_token, {}, { 'idempotency-key': 'one' })
    registry.clock.advance(seconds)
    expect(await refresh(registry, world, first.refresh_token, {}, { 'idempotency-key': retryKey })).toMatchObject(invalidGrant)
    expect(await refresh(registry, world, second.body.refresh_token)).toMatchObject(invalidGrant)
  })

  test('of another client or key is refused and ends nothing', async () => {
    const { refresh_token: token } = await offline()
    expect(await refresh(registry, { ...world, client: world.archive }, token)).toMatchObject(invalidGrant)
    const otherKey = { grant_type: 'refresh_token', refresh_token: token }
    expect(await tokenRequest(registry, world.client, otherKey, { signer: await newEs256Signer() })).toMatchObject(invalidGrant)
    expect(await refresh(registry, world, token)).toMatchObject({ status: 200 })
  })

  test('that was used ends the family of its client with any key', async () => {
    const { refresh_token: used } = await offline()
    const { body: next } = await refresh(registry, world, used)
    const otherKey = { grant_type: 'refresh_token', refresh_token: used }
    expect(await tokenRequest(registry, world.client, otherKey, { signer: await newEs256Signer() })).toMatchObject(invalidGrant)
    expect(await refresh(registry, world, next.refresh_token)).toMatchObject(invalidGrant)
  })

  test('gives no wider scope and no other audience', async () => {
    const { refresh_token: token } = await offline()
    expect(await refresh(registry, world, token, { scope: 'ocr:admin' })).toMatchObject({ body: { error: 'invalid_scope' } })
    expect(await refresh(registry, world, token, { resource: world.archive.audience })).toMatchObject({ body: { error: 'invalid_target' } })
    expect(await refresh(registry, world, token)).toMatchObject({ status: 200 })
  })

  test('may be used with the scope of the authorization request, offline_access included', async () => {
    const { refresh_token: token } = await offline()
    const next = await refresh(registry, world, token, { scope: 'ocr:read offline_access' })
    expect(next).toMatchObject({ status: 200, body: { scope: 'ocr:read' } })
    const alone = await refresh(registry, world, next.body.refresh_token, { scope: 'offline_access' })
    expect(alone).toMatchObject({ status: 200, body: { scope: 'ocr:read' } })
    const malformed = await refresh(registry, world, alone.body.refresh_token, { scope: 'ocr:read  offline_access' })
    expect(malformed).toMatchObject({ status: 400, body: { error: 'invalid_scope' } })
    const once = await codeFor(registry, world, { ...OFFLINE(), prompt: 'consent' }, { duration: 'once' })
    expect(await redeem(registry, world, once, { scope: 'ocr:read offline_access' })).toMatchObject({ body: { error: 'invalid_scope' } })
  })

  test('is dead with the consent of the person', async () => {
    const { refresh_token: token } = await offline()
    const { items } = await world.person.query<{ items: { consentId: string; audience: string; state: string }[] }>('consents.list', {})
    const consent = items.find(({ audience, state }) => audience === world.ocr.audience && state === 'valid')
    await world.person.mutate('consents.revoke', { consentId: consent?.consentId })
    expect(await refresh(registry, world, token)).toMatchObject(invalidGrant)
  })

  test('is revoked by its client, and everything of its family with it', async () => {
    const { refresh_token: token, access_token: access } = await offline()
    const revoke = async (client: PersonWorld['client']) =>
      postForm(registry, '/oauth/revoke', await formWithAssertion(registry, client, { token }))
    expect((await revoke(world.archive)).status).toBe(200)
    expect(await isActive(access)).toBe(true)
    expect((await revoke(world.client)).status).toBe(200)
    expect(await isActive(access)).toBe(false)
    expect(await refresh(registry, world, token)).toMatchObject(invalidGrant)
  })

  test('is in no backup: the store has neither codes nor refresh tokens', async () => {
    const code = await codeFor(registry, world, OFFLINE(), month())
    const { body } = await redeem(registry, world, code)
    const { body: next } = await refresh(registry, world, body.refresh_token)
    const stored = (await registry.stored()).join()
    for (const secret of [code, body.refresh_token, next.refresh_token]) expect(stored.includes(secret.split('.')[1])).toBe(false)
  })
})

test('a root token for a person is exchanged by its client only, with its key, and never passed on', async () => {
  const code = await codeFor(registry, world)
  const { body } = await redeem(registry, world, code, { resource: registry.issuer })
  const form = exchangeForm(body.access_token, world.archive.audience, { scope: 'ocr:read' })
  expect(await tokenRequest(registry, world.ocr, form)).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
  expect(await tokenRequest(registry, world.client, form)).toMatchObject({ status: 400, body: { error: 'invalid_target' } })
})

test('a person of the called organisation introduces the client with the consent, in one commit', async () => {
  const fresh = await personWorld(registry)
  const called = await registry.agent({ registeredBy: fresh.admin })
  await called.publish({ card: aCard(registry) })
  await fresh.admin.mutate('agents.change', {
    agentId: fresh.client.agentId,
    addRights: [{ audience: called.audience, scope: 'ocr:read' }],
  })
  const asked = { resource: called.audience, prompt: 'consent' }
  const { body } = await push(registry, fresh, asked)
  const shown = await fresh.browser.get(pageOf(fresh, body.request_uri))
  expect(shown.text).toContain('On behalf of your organisation')
  expect(await decide(fresh.browser, shown)).toMatchObject({ status: 400 })
  const done = await decide(fresh.browser, shown, { introduce: [called.audience] })
  expect(await redeem(registry, fresh, returned(done).code ?? '')).toMatchObject({ status: 200, body: { scope: 'ocr:read' } })
  const { items } = await called.query<{ items: { from: string; state: string }[] }>('introductions.list', { role: 'to' })
  expect(items).toMatchObject([{ from: fresh.client.agentId, state: 'granted' }])
})
