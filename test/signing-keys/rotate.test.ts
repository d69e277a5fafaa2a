import { afterAll, beforeAll, expect, test } from 'vitest'
import { verifyCardViewBundle } from '../../src/client/index.js'
import type { KeyView } from '../../src/signing-keys/key-view.js'
import { createVerifier } from '../../src/verifier/index.js'
import { proofOf } from '../oauth/requests.js'
import { aCard, type Registry, startRegistry } from '../registry.js'
import { aPair, type Pair, reasonOf } from '../stories/actors.js'

let registry: Registry
let pair: Pair

beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

const list = async (use: string): Promise<readonly KeyView[]> =>
  (await registry.operator.query<{ items: KeyView[] }>('signingKeys.list')).items.filter((key) => key.use === use)
const rotate = (use: string) => registry.operator.mutate<KeyView>('signingKeys.rotate', { use })
const revoke = (kid: string) => registry.operator.mutate('signingKeys.revoke', { kid })
const published = async (use: string): Promise<string[]> => {
  const { keys } = await (await registry.fetch('/.well-known/jwks.json')).json()
  return keys.flatMap((jwk: { kid: string; credence_use: string }) => (jwk.credence_use === use ? [jwk.kid] : []))
}
const kidOf = (token: string): string => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
/** The kids of two new tokens, one from each server: requests alternate between the servers. */
const kidsOfNewTokens = async (): Promise<string[]> => {
  const tokens = [
    await pair.planner.exchange({ audience: pair.ocr.audience }),
    await pair.planner.exchange({ audience: pair.ocr.audience }),
  ]
  return tokens.map(({ accessToken }) => kidOf(accessToken))
}
const aCall = async (accessToken: string) => ({
  method: 'POST',
  url: '/',
  headers: {
    authorization: `DPoP ${accessToken}`,
    dpop: await proofOf(registry, pair.planner.signer, { path: '', accessToken }, { htu: 'https://ocr.example/' }),
  },
})
const aVerifier = (standing: Parameters<typeof createVerifier>[0]['standing']) =>
  createVerifier({
    issuer: registry.issuer,
    audience: pair.ocr.audience,
    publicUrl: 'https://ocr.example',
    standing,
    clock: registry.clock,
  })

test('a new key is published 120 s before it signs, and the old key verifies until its last token has expired', async () => {
  const [old] = await list('token')
  const before = await pair.planner.exchange({ audience: pair.ocr.audience })
  const pending = await rotate('token')
  expect(pending.state).toBe('pending')
  expect((await rotate('token')).kid).toBe(pending.kid)
  expect(await published('token')).toEqual([pending.kid, old?.kid])
  expect(await kidsOfNewTokens()).toEqual([old?.kid, old?.kid])

  registry.clock.advance(121)
  expect(await kidsOfNewTokens()).toEqual([pending.kid, pending.kid])
  await expect.poll(async () => (await list('token')).map(({ state }) => state)).toEqual(['signing', 'retiring'])
  await using feed = Object.assign(await pair.ocr.subscribe(), { [Symbol.asyncDispose]: async () => feed.close() })
  await aVerifier(feed).verify(await aCall(before.accessToken))

  registry.clock.advance(3600)
  await expect.poll(() => published('token')).toEqual([pending.kid, old?.kid])
  registry.clock.advance(71)
  await expect.poll(() => published('token')).toEqual([pending.kid])
  expect((await list('token')).map(({ state }) => state)).toEqual(['signing', 'ended'])
})

test('a revoked key signs nothing more, and servers and verifiers that follow the feed reject its tokens at once', async () => {
  await using feed = Object.assign(await pair.ocr.subscribe(), { [Symbol.asyncDispose]: async () => feed.close() })
  const verifier = aVerifier(feed)
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  const root = await pair.planner.token()
  await verifier.verify(await aCall(accessToken))
  const kid = kidOf(accessToken)
  await revoke(kid)
  // Longer than the second for which a verifier may rely on its last sync
  registry.clock.advance(2)
  // The subscriber's own token was revoked too: until it has subscribed again, the verifier answers standing_unknown.
  const reasons: string[] = []
  const reasonNow = async () => {
    registry.clock.advance(1)
    reasons.push(await reasonOf(verifier.verify(await aCall(accessToken))))
    return reasons.at(-1)
  }
  await expect.poll(reasonNow).toBe('invalid_token')
  expect(reasons).not.toContain('done')
  expect(await pair.ocr.introspect(accessToken)).toEqual({ active: false })
  for (const _ of registry.servers) {
    const url = `${registry.issuer}/trpc/tasks.list`
    const proof = await proofOf(registry, pair.planner.signer, { htm: 'GET', path: '/trpc/tasks.list', accessToken: root.accessToken })
    const response = await fetch(url, { headers: { authorization: `DPoP ${root.accessToken}`, dpop: proof } })
    expect(response.status).toBe(401)
  }
  const [first, second] = await kidsOfNewTokens()
  expect(first).not.toBe(kid)
  expect(second).toBe(first)
  expect(await published('token')).toEqual([first])
  // A token with a made-up kid does not keep the verifier from learning the new key
  const madeUp = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: 'A'.repeat(43) })).toString('base64url')
  expect(await reasonOf(verifier.verify(await aCall(accessToken.replace(/^[^.]+/, madeUp))))).toBe('invalid_token')
  const next = await pair.planner.exchange({ audience: pair.ocr.audience })
  await verifier.verify(await aCall(next.accessToken))
  expect(await reasonOf(revoke(kid))).toBe('already_revoked')
})

test('a token that was exchanged for a token of a revoked key is revoked too, even if a newer key signed it', async () => {
  const pending = await rotate('token')
  const [, old] = await list('token')
  await pair.planner.token()
  registry.clock.advance(121)
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  expect(kidOf(accessToken)).toBe(pending.kid)
  expect(kidOf((await pair.planner.token()).accessToken)).toBe(old?.kid)
  expect(await pair.ocr.introspect(accessToken)).toMatchObject({ active: true })
  await revoke(old?.kid ?? '')
  expect(await pair.ocr.introspect(accessToken)).toEqual({ active: false })
})

test('once the signing key is revoked, a pending key signs at once', async () => {
  const [old] = await list('token')
  const pending = await rotate('token')
  await revoke(old?.kid ?? '')
  expect(await kidsOfNewTokens()).toEqual([pending.kid, pending.kid])
  expect(await published('token')).toEqual([pending.kid])
})

test('two concurrent rotations create one key, and both return it', async () => {
  const [first, second] = await Promise.all([rotate('log'), rotate('log')])
  expect(first?.kid).toBe(second?.kid)
  expect(await published('log')).toHaveLength(2)
})

test('a client that follows the feed rejects a card view that a revoked key signed', async () => {
  await using feed = Object.assign(await pair.planner.subscribe(), { [Symbol.asyncDispose]: async () => feed.close() })
  expect((await pair.planner.card(pair.ocr.agentId)).state).toBe('verified')
  const view = await pair.planner.cardView(pair.ocr.agentId)
  const { keys } = await (await registry.fetch('/.well-known/jwks.json')).json()
  const [signing] = await list('card')
  await revoke(signing?.kid ?? '')
  await feed.sync()
  const verify = (ended?: typeof feed.ended) =>
    verifyCardViewBundle(
      view,
      { issuer: registry.issuer, keys },
      { audience: pair.planner.clientId, now: registry.clock.now(), ...(ended && { ended }) },
    )
  expect((await verify()).state).toBe('verified')
  expect(await reasonOf(verify(feed.ended))).toBe('card_signature_invalid')
})

test('only operators may list, rotate and revoke signing keys, and each change has an audit row', async () => {
  const [signing] = await list('log')
  for (const actor of [pair.acme, pair.planner]) {
    for (const work of [
      () => actor.query('signingKeys.list'),
      () => actor.mutate('signingKeys.rotate', { use: 'log' }),
      () => actor.mutate('signingKeys.revoke', { kid: signing?.kid ?? '' }),
    ])
      expect(await reasonOf(work())).toMatch(/^(forbidden|insufficient_scope)$/)
  }
  expect(await reasonOf(revoke('A'.repeat(43)))).toBe('not_found')
  expect(await reasonOf(rotate('event'))).toBe('bad_input')
  const { items } = await registry.operator.query<{ items: { action: string; outcome: string }[] }>('audit.list', { limit: 100 })
  const done = items.filter(({ outcome }) => outcome === 'done').map(({ action }) => action)
  // A rotation of `log` also rotates `log-ed25519`
  expect(done.filter((action) => action === 'signingKeys.rotate')).toHaveLength(5)
  expect(done.filter((action) => action === 'signingKeys.revoke')).toHaveLength(4)
})

test('after a rotation a running client fetches the JWKS again; a client with pinned keys rejects the new card view', async () => {
  const { ocr, planner } = pair
  const { keys: pins } = await (await registry.fetch('/.well-known/jwks.json')).json()
  const [running, pinned] = [registry.as(planner), registry.as(planner, { pins })]
  for (const client of [running, pinned]) await client.card(ocr.agentId)
  await rotate('card')
  registry.clock.advance(121)
  await ocr.publish({ card: aCard(registry, { description: 'After the rotation' }) })
  expect((await running.card(ocr.agentId)).card.description).toBe('After the rotation')
  expect(await reasonOf(pinned.card(ocr.agentId))).toBe('card_signature_invalid')
})
