import { afterAll, beforeAll, expect, test } from 'vitest'
import { verifyCardViewBundle } from '../../src/client/index.js'
import type { KeyView } from '../../src/signing-keys/key-view.js'
import { createVerifier } from '../../src/verifier/index.js'
import { proofOf } from '../oauth.js'
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
const end = (kid: string) => registry.operator.mutate('signingKeys.revoke', { kid })
const published = async (use: string): Promise<string[]> => {
  const { keys } = await (await registry.fetch('/.well-known/jwks.json')).json()
  return keys.flatMap((jwk: { kid: string; credence_use: string }) => (jwk.credence_use === use ? [jwk.kid] : []))
}
const kidOf = (token: string): string => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
/** Requests alternate among the servers, so two tokens are of two of them. */
const signedBy = async (): Promise<string[]> => {
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

test('a new key is published before it signs; the old one verifies until nothing of it is left, then ends', async () => {
  const [old] = await list('token')
  const before = await pair.planner.exchange({ audience: pair.ocr.audience })
  const waiting = await rotate('token')
  expect(waiting.state).toBe('waiting')
  expect((await rotate('token')).kid).toBe(waiting.kid)
  expect(await published('token')).toEqual([waiting.kid, old?.kid])
  expect(await signedBy()).toEqual([old?.kid, old?.kid])

  registry.clock.advance(121)
  expect(await signedBy()).toEqual([waiting.kid, waiting.kid])
  await expect.poll(async () => (await list('token')).map(({ state }) => state)).toEqual(['signing', 'retiring'])
  await using feed = Object.assign(await pair.ocr.subscribe(), { [Symbol.asyncDispose]: async () => feed.close() })
  await aVerifier(feed).verify(await aCall(before.accessToken))

  registry.clock.advance(3600)
  await expect.poll(() => published('token')).toEqual([waiting.kid, old?.kid])
  registry.clock.advance(71)
  await expect.poll(() => published('token')).toEqual([waiting.kid])
  expect((await list('token')).map(({ state }) => state)).toEqual(['signing', 'ended'])
})

test('an ended key signs nothing any more, and what it signed is refused at once: by servers, and by a verifier over the feed', async () => {
  await using feed = Object.assign(await pair.ocr.subscribe(), { [Symbol.asyncDispose]: async () => feed.close() })
  const verifier = aVerifier(feed)
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  const root = await pair.planner.token()
  await verifier.verify(await aCall(accessToken))
  const kid = kidOf(accessToken)
  await end(kid)
  // Past what a verifier may take for fresh
  registry.clock.advance(2)
  // The subscriber's own token died too: until it is back it says that it does not know.
  const said: string[] = []
  const saysNow = async () => {
    registry.clock.advance(1)
    said.push(await reasonOf(verifier.verify(await aCall(accessToken))))
    return said.at(-1)
  }
  await expect.poll(saysNow).toBe('invalid_token')
  expect(said).not.toContain('done')
  expect(await pair.ocr.introspect(accessToken)).toEqual({ active: false })
  for (const _ of registry.servers) {
    const url = `${registry.issuer}/trpc/tasks.list`
    const proof = await proofOf(registry, pair.planner.signer, { htm: 'GET', path: '/trpc/tasks.list', accessToken: root.accessToken })
    const answer = await fetch(url, { headers: { authorization: `DPoP ${root.accessToken}`, dpop: proof } })
    expect(answer.status).toBe(401)
  }
  const [first, second] = await signedBy()
  expect(first).not.toBe(kid)
  expect(second).toBe(first)
  expect(await published('token')).toEqual([first])
  // How often a verifier asks for the keys
  registry.clock.advance(31)
  const next = await pair.planner.exchange({ audience: pair.ocr.audience })
  await verifier.verify(await aCall(next.accessToken))
  expect(await reasonOf(end(kid))).toBe('already_ended')
})

test('what was had for a token of an ended key ends with it, also where a newer key has signed it', async () => {
  const waiting = await rotate('token')
  const [, old] = await list('token')
  await pair.planner.token()
  registry.clock.advance(121)
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  expect(kidOf(accessToken)).toBe(waiting.kid)
  expect(kidOf((await pair.planner.token()).accessToken)).toBe(old?.kid)
  expect(await pair.ocr.introspect(accessToken)).toMatchObject({ active: true })
  await end(old?.kid ?? '')
  expect(await pair.ocr.introspect(accessToken)).toEqual({ active: false })
})

test('where the signing key ends, one that waits signs at once', async () => {
  const [old] = await list('token')
  const waiting = await rotate('token')
  await end(old?.kid ?? '')
  expect(await signedBy()).toEqual([waiting.kid, waiting.kid])
  expect(await published('token')).toEqual([waiting.kid])
})

test('of two who rotate at once one begins the key, and both are told of it', async () => {
  const [one, other] = await Promise.all([rotate('log'), rotate('log')])
  expect(one?.kid).toBe(other?.kid)
  expect(await published('log')).toHaveLength(2)
})

test('a card view of an ended key is refused by who follows the feed', async () => {
  await using feed = Object.assign(await pair.planner.subscribe(), { [Symbol.asyncDispose]: async () => feed.close() })
  expect((await pair.planner.card(pair.ocr.agentId)).state).toBe('verified')
  const view = await pair.planner.cardView(pair.ocr.agentId)
  const { keys } = await (await registry.fetch('/.well-known/jwks.json')).json()
  const [signing] = await list('card')
  await end(signing?.kid ?? '')
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

test('the keys of the registry are for its operators, and what they do with them is in the audit', async () => {
  const [signing] = await list('log')
  for (const actor of [pair.acme, pair.planner]) {
    for (const work of [
      () => actor.query('signingKeys.list'),
      () => actor.mutate('signingKeys.rotate', { use: 'log' }),
      () => actor.mutate('signingKeys.revoke', { kid: signing?.kid ?? '' }),
    ])
      expect(await reasonOf(work())).toMatch(/^(forbidden|insufficient_scope)$/)
  }
  expect(await reasonOf(end('A'.repeat(43)))).toBe('not_found')
  expect(await reasonOf(rotate('event'))).toBe('bad_input')
  const { items } = await registry.operator.query<{ items: { action: string; outcome: string }[] }>('audit.list', { limit: 100 })
  const done = items.filter(({ outcome }) => outcome === 'done').map(({ action }) => action)
  expect(done.filter((action) => action === 'signingKeys.rotate')).toHaveLength(4)
  expect(done.filter((action) => action === 'signingKeys.revoke')).toHaveLength(4)
})

test('a client that runs on reads the keys of card views again after they rotated; one that was given them does not', async () => {
  const { ocr, planner } = pair
  const { keys: pins } = await (await registry.fetch('/.well-known/jwks.json')).json()
  const [running, pinned] = [registry.as(planner), registry.as(planner, { pins })]
  for (const client of [running, pinned]) await client.card(ocr.agentId)
  await rotate('card')
  registry.clock.advance(121)
  await ocr.publish({ card: aCard(registry, { description: 'After the rotation' }) })
  expect((await running.card(ocr.agentId)).card.description).toBe('After the rotation')
  expect(await reasonOf(pinned.card(ocr.agentId))).not.toBe('done')
})
