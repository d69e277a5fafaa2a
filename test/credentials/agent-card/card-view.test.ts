import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { verifyCardViewBundle, wordsDigest } from '../../../src/credentials/agent-card/card-view.js'
import { signAndSplit } from '../../../src/credentials/agent-card/sign-card.js'
import { canonical } from '../../../src/credentials/jose/canonical-json.js'
import { digestOfJson, digestOfText } from '../../../src/credentials/jose/digest.js'
import { thumbprint } from '../../../src/credentials/jose/jwk.js'
import { newEs256Signer, type Signer, signJwt } from '../../../src/credentials/jose/sign.js'
import { processSdJwt } from '../../../src/credentials/sd-jwt/verify.js'
import { signCheckpoint } from '../../../src/credentials/signed-note.js'
import { base64url, utf8 } from '../../../src/lib/bytes.js'
import { sha256 } from '../../../src/lib/crypto-node.js'
import type { JsonObject } from '../../../src/lib/json.js'
import { systemRandom } from '../../../src/lib/random.js'
import type { CardView } from '../../../src/protocol/cards/card-view.js'
import { Handle } from '../../../src/protocol/handles.js'
import type { Jkt } from '../../../src/protocol/ids.js'
import { hashLeaf } from '../../../src/protocol/log/merkle.js'
import { type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { aCallee, introduce, reasonOf } from '../../stories/actors.js'

const card = aCard(
  { issuer: 'https://registry.example' },
  {
    skills: [
      ...(aCard({ issuer: 'https://registry.example' }).skills as JsonObject[]),
      { id: 'secret', name: 'Secret', description: 'hidden', tags: ['hidden'] },
    ],
  },
)
let registry: Registry
let reader: AgentActor
let view: CardView
let keys: Record<string, unknown>[]
let publisher: AgentActor

beforeAll(async () => {
  registry = await startRegistry({ servers: 1 })
  const acme = await registry.organisation('Acme')
  publisher = await aCallee(registry, { of: acme, contact: { mode: 'open' } })
  await publisher.publish({ card, hide: ['/skills/1'] })
  reader = await registry.agent({ of: acme, ceiling: { rights: [{ audience: publisher.audience, scope: 'ocr:read' }] } })
  await introduce(reader, publisher)
  view = await reader.cardView(publisher.agentId)
  keys = (await (await registry.fetch('/.well-known/jwks.json')).json()).keys
})
afterAll(() => registry[Symbol.asyncDispose]())

const verify = (bundle: unknown, expected: object = {}, pins: object = {}) =>
  verifyCardViewBundle(
    bundle,
    { issuer: registry.issuer, keys, ...pins },
    { audience: reader.agentId, now: registry.clock.now(), ...expected },
  )

test('a view is verified from its bytes and the pinned keys alone, back to the publisher’s key', async () => {
  const verified = await verify(JSON.parse(JSON.stringify(view)))
  expect(verified.state).toBe('verified')
  expect(verified.publisher).toMatchObject({ owner: publisher.agentId })
  expect((verified.card.skills as JsonObject[]).map(({ id }) => id).sort()).toEqual(['read-page', 'secret'])
})

describe('one flipped byte fails', () => {
  /** Every string in the bundle that carries meaning, by its path. */
  const paths = (value: unknown, path: string[] = []): string[][] =>
    typeof value === 'string'
      ? [path]
      : typeof value === 'object' && value !== null
        ? Object.entries(value).flatMap(([name, one]) => paths(one, [...path, name]))
        : []
  const flipped = (text: string, at: number) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)
  const changed = (path: readonly string[], to: (text: string) => string) => {
    const copy = JSON.parse(JSON.stringify(view))
    const parent = path.slice(0, -1).reduce((at, name) => at[name], copy)
    const last = path.at(-1) ?? ''
    parent[last] = to(parent[last])
    return copy
  }
  test('anywhere: card, SD-JWT, view, registered key, entry, proof, checkpoint, and what the registry says of all this', async () => {
    const covered = paths(view)
    expect(new Set(covered.map(([first]) => first))).toEqual(new Set(Object.keys(view).filter((name) => name !== 'version')))
    for (const path of covered) {
      const text = path.reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], view) as string
      const places =
        text.length < 60 ? [0, text.length - 1] : Array.from({ length: 12 }, (_, i) => Math.floor((i * (text.length - 1)) / 11))
      for (const at of places) {
        const bundle = changed(path, (one) => flipped(one, at))
        expect(await reasonOf(verify(bundle)), `${path.join('/')} at ${at}`).not.toBe('done')
      }
    }
  })
  test('what no signature covers is not shown', async () => {
    expect((await verify({ ...view, extra: 1 })).view).toEqual(view)
  })

  test('and what is left out, or put in', async () => {
    const { proof: _, ...withoutProof } = view
    const { sdJwt, ...withoutSdJwt } = view
    const { view: __, ...withoutView } = view
    for (const bundle of [
      withoutProof,
      withoutSdJwt,
      withoutView,
      { ...view, version: 9 },
      { ...view, facts: { ...view.facts, extra: 1 } },
      { ...view, text: { ...view.text, extra: 1 } },
      { ...view, tier: 'public' },
    ])
      expect(await reasonOf(verify(bundle))).not.toBe('done')
    const [jwt, ...disclosures] = (sdJwt ?? '').split('~')
    expect(disclosures.length).toBe(2)
    expect(await reasonOf(verify({ ...view, sdJwt: `${jwt}~` }))).not.toBe('done')
  })
})

test('for another caller, another time, other pins, or after an ending that the caller knows of', async () => {
  expect(await reasonOf(verify(view, { audience: publisher.agentId }))).not.toBe('done')
  expect(await reasonOf(verify(view, { now: registry.clock.now() + 301 }))).not.toBe('done')
  expect(await reasonOf(verify(view, {}, { keys: keys.filter((key) => key.credence_use !== 'log') }))).not.toBe('done')
  expect(await reasonOf(verify(view, {}, { keys: keys.filter((key) => key.credence_use !== 'card') }))).not.toBe('done')
  const { handle } = view.proof?.statement ?? { handle: '' }
  expect(await reasonOf(verify(view, { ended: { has: (one: string) => one === handle } }))).not.toBe('done')
})

test('a registry that signs in the publisher’s place is found out', async () => {
  // It has the card key, and signs card and SD-JWT itself, of any content.
  const registryKey = await newEs256Signer()
  const forged = await signAndSplit(
    {
      card,
      hide: ['/skills/1'],
      tiers: {},
      defaultTier: 'introduced',
      iss: publisher.agentId,
      sub: publisher.audience,
      vct: `${registry.issuer}/vct/a2a-agent-card/1`,
      agentId: publisher.agentId,
      version: 2,
      releaseNumber: 9,
      seconds: 3600,
    },
    { signer: registryKey, random: systemRandom, now: registry.clock.now() },
  )
  const pins = [
    ...keys,
    {
      ...registryKey.publicJwk,
      kid: thumbprint(registryKey.publicJwk),
      alg: 'ES256',
      credence_use: 'card',
    },
  ]
  const now = registry.clock.now()
  const claims = {
    iss: registry.issuer,
    aud: reader.agentId,
    iat: now,
    exp: now + 300,
    sd_hash: digestOfText(forged.sdJwt ?? ''),
    tier: 'introduced',
    card_id: publisher.agentId,
    card_version: 2,
    card_sha256: forged.cardSha256,
    words_sha256: wordsDigest(view),
    standing: { at: 0, dependsOn: [] },
  }
  const own = await signJwt({ typ: 'card-view+jwt', kid: pins.at(-1)?.kid as string }, claims, registryKey)
  const bundle = { ...view, version: 2, c0: forged.c0, sdJwt: forged.sdJwt, view: own }
  expect(await reasonOf(verify(bundle, {}, { keys: pins }))).not.toBe('done')
  // Also where it names its own key in the statement, whose digest the log does not have.
  const statement = { ...view.proof?.statement, jwk: registryKey.publicJwk, jkt: pins.at(-1)?.kid }
  expect(await reasonOf(verify({ ...bundle, proof: { ...view.proof, statement } }, {}, { keys: pins }))).not.toBe('done')
})

describe('a registry that registers one of its own keys as the publisher’s, and has its log say so', () => {
  const bundleWith = async (jktOf: (jkt: Jkt) => string, isPinned: boolean) => {
    const [card_, log] = [await newEs256Signer(), await newEs256Signer()]
    const own = thumbprint(card_.publicJwk)
    const pinOf = (signer: Signer, use: string) => ({ ...signer.publicJwk, kid: thumbprint(signer.publicJwk), credence_use: use })
    const publisherKey = isPinned ? card_ : await newEs256Signer()
    const now = registry.clock.now()
    const { c0, sdJwt, cardSha256 } = await signAndSplit(
      {
        card,
        hide: ['/skills/1'],
        tiers: {},
        defaultTier: 'introduced',
        iss: publisher.agentId,
        sub: publisher.audience,
        vct: `${registry.issuer}/vct/a2a-agent-card/1`,
        agentId: publisher.agentId,
        version: view.version,
        releaseNumber: 1,
        seconds: 3600,
      },
      { signer: publisherKey, random: systemRandom, now },
    )
    const jwk = { ...publisherKey.publicJwk }
    const statement = { ...view.proof?.statement, jwk, jkt: jktOf(thumbprint(publisherKey.publicJwk)) }
    const entry = { ...view.proof?.entry, digest: digestOfJson(statement) }
    const root = base64url(hashLeaf(sha256, utf8(canonical(entry))))
    const epoch = Handle.parse(`epo:${'A'.repeat(22)}`)
    const checkpoint = await signCheckpoint({ origin: new URL(registry.issuer).host, size: 1, root, epoch }, log)
    const claims = {
      iss: registry.issuer,
      aud: reader.agentId,
      iat: now,
      exp: now + 300,
      sd_hash: digestOfText(sdJwt ?? ''),
      tier: 'introduced',
      card_id: publisher.agentId,
      card_version: view.version,
      card_sha256: cardSha256,
      words_sha256: wordsDigest(view),
      standing: { at: 0, dependsOn: [] },
    }
    const { payload } = processSdJwt(sdJwt, { typ: ['dc+sd-jwt'] })
    const bundle = {
      ...view,
      c0,
      sdJwt,
      claims: payload.agent_card,
      view: await signJwt({ typ: 'card-view+jwt', kid: own }, claims, card_),
      proof: { statement, entry, inclusion: { seq: view.proof?.entry.seq, index: 0, size: 1, hashes: [] }, checkpoint },
    }
    return verify(bundle, {}, { keys: [pinOf(card_, 'card'), pinOf(log, 'log')] })
  }
  test('by its name, and under another', async () => {
    // Whoever is in the log under a key of their own is believed: the forgery below fails for its key alone.
    expect((await bundleWith((jkt) => jkt, false)).state).toBe('verified')
    expect(await reasonOf(bundleWith((jkt) => jkt, true))).toBe('card_signature_invalid')
    expect(await reasonOf(bundleWith(() => 'A'.repeat(43), true))).toBe('card_signature_invalid')
    expect(await reasonOf(bundleWith(() => 'A'.repeat(43), false))).toBe('card_signature_invalid')
  })
})

test('an unsigned card is what the registry says, and no more: nobody on the way passes it off as his, or as signed', async () => {
  const acme = await registry.organisation('Other')
  const plain = await registry.agent({ of: acme })
  await plain.mutate('cards.import', { agentId: plain.agentId, card: JSON.stringify(aCard(registry)) })
  const bundle = await reader.cardView(plain.agentId)
  expect((await verify(bundle)).state).toBe('unverified')
  const { facts, text } = bundle
  for (const altered of [
    { orgId: reader.orgId },
    { facts: { ...facts, verdict: { ...facts.verdict, state: 'verified' } } },
    { facts: { ...facts, organisationName: 'Somebody else' } },
    { facts: { ...facts, endpoint: 'http://127.0.0.1:9/elsewhere' } },
    { text: { ...text, name: 'Another' } },
    { text: { ...text, name: '\ud800' } },
    { claims: { ...bundle.claims, name: '\ud800' } },
  ])
    expect(await reasonOf(verify({ ...bundle, ...altered }))).toBe('card_signature_invalid')
})
