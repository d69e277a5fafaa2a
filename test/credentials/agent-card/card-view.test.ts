import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { factsDigest, verifyCardViewBundle } from '../../../src/credentials/agent-card/card-view.js'
import { preparePublication } from '../../../src/credentials/agent-card/sign-card.js'
import { signCheckpoint } from '../../../src/credentials/checkpoint.js'
import { canonical } from '../../../src/credentials/jose/canonical-json.js'
import { digestOfJson, digestOfText } from '../../../src/credentials/jose/digest.js'
import { thumbprint } from '../../../src/credentials/jose/jwk.js'
import { newEs256Signer, type Signer, signJwt } from '../../../src/credentials/jose/sign.js'
import { processSdJwt } from '../../../src/credentials/sd-jwt/verify.js'
import { base64url } from '../../../src/lib/bytes.js'
import { sha256 } from '../../../src/lib/crypto/crypto-node.js'
import type { JsonObject } from '../../../src/lib/json.js'
import { systemRandom } from '../../../src/lib/random.js'
import type { CardView } from '../../../src/protocol/cards/card-view.js'
import { Handle } from '../../../src/protocol/handles.js'
import type { Jkt } from '../../../src/protocol/ids.js'
import { hashLeaf } from '../../../src/protocol/log/merkle.js'
import { type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { aPublishedAgent, introduce, reasonOf } from '../../stories/actors.js'

const card = aCard(
  { issuer: 'https://registry.example' },
  {
    // A card whose canonical forms are equal has one signature, so no other one is valid if it is changed.
    capabilities: { streaming: true },
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
  publisher = await aPublishedAgent(registry, { registeredBy: acme, introductionPolicy: { mode: 'open' } })
  await publisher.publish({ card, hide: ['/skills/1'] })
  reader = await registry.agent({ registeredBy: acme, ceiling: { rights: [{ audience: publisher.audience, scope: 'ocr:read' }] } })
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

test('a view is verified with the pinned keys only, without a request', async () => {
  const verified = await verify(JSON.parse(JSON.stringify(view)))
  expect(verified.state).toBe('verified')
  expect(verified.publisher).toMatchObject({ owner: publisher.agentId })
  expect((verified.card.skills as JsonObject[]).map(({ id }) => id).sort()).toEqual(['read-page', 'secret'])
})

describe('changed views', () => {
  /** The paths of all strings in the view. */
  const paths = (value: unknown, path: string[] = []): string[][] =>
    typeof value === 'string'
      ? [path]
      : typeof value === 'object' && value !== null
        ? Object.entries(value).flatMap(([name, member]) => paths(member, [...path, name]))
        : []
  const flipped = (text: string, at: number) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)
  const changed = (path: readonly string[], to: (text: string) => string) => {
    const copy = JSON.parse(JSON.stringify(view))
    const parent = path.slice(0, -1).reduce((at, name) => at[name], copy)
    const last = path.at(-1) ?? ''
    parent[last] = to(parent[last])
    return copy
  }
  test('a view with one changed byte is refused, whichever string it is in', async () => {
    const covered = paths(view)
    expect(new Set(covered.map(([first]) => first))).toEqual(new Set(Object.keys(view).filter((name) => name !== 'version')))
    for (const path of covered) {
      const text = path.reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], view) as string
      // Of a checkpoint, the signature lines of other keys than the pinned ones are ignored (C2SP signed-note): here the Ed25519 line
      const length = path.at(-1) === 'checkpoint' ? text.lastIndexOf('\n—') : text.length
      const positions = length < 60 ? [0, length - 1] : Array.from({ length: 12 }, (_, i) => Math.floor((i * (length - 1)) / 11))
      for (const at of positions) {
        const bundle = changed(path, (value) => flipped(value, at))
        expect(await reasonOf(verify(bundle)), `${path.join('/')} at ${at}`).toBe('card_signature_invalid')
      }
    }
  })
  test('a member that no signature covers is removed', async () => {
    expect((await verify({ ...view, extra: 1 })).view).toEqual(view)
  })

  test('a view with a member added or removed is refused', async () => {
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
      expect(await reasonOf(verify(bundle))).toBe('card_signature_invalid')
    const [jwt, ...disclosures] = (sdJwt ?? '').split('~')
    expect(disclosures.length).toBe(2)
    expect(await reasonOf(verify({ ...view, sdJwt: `${jwt}~` }))).toBe('card_signature_invalid')
  })
})

test('a view is refused for another caller, after its expiry, with other pins, or after a revocation that the caller knows', async () => {
  await expect(verify(view, { audience: publisher.agentId })).rejects.toThrow('`aud` is not the expected audience')
  await expect(verify(view, { now: registry.clock.now() + 301 })).rejects.toThrow('it has expired')
  await expect(verify(view, {}, { keys: keys.filter((key) => key.credence_use !== 'log') })).rejects.toThrow(
    'its checkpoint is not signed by a pinned log key',
  )
  await expect(verify(view, {}, { keys: keys.filter((key) => key.credence_use !== 'card') })).rejects.toThrow('no accepted key signed it')
  const { handle } = view.proof?.statement ?? { handle: '' }
  await expect(verify(view, { ended: { has: (candidate: string) => candidate === handle } })).rejects.toThrow(
    'a handle that it depends on was revoked',
  )
})

test('a card that the registry signed in place of its publisher is refused', async () => {
  // The registry has its card key, and signs any card and SD-JWT with it.
  const registryKey = await newEs256Signer()
  const forged = await preparePublication(
    {
      card,
      nonPublic: ['/skills/1'],
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
    facts_sha256: factsDigest(view),
    standing: { at: 0, dependsOn: [] },
  }
  const own = await signJwt({ typ: 'card-view+jwt', kid: pins.at(-1)?.kid as string }, claims, registryKey)
  const bundle = { ...view, version: 2, publicCard: forged.publicCard, sdJwt: forged.sdJwt, view: own }
  await expect(verify(bundle, {}, { keys: pins })).rejects.toThrow('no signature of the registered key covers')
  // The same with its own key in the key statement, whose digest is not in the log.
  const statement = { ...view.proof?.statement, jwk: registryKey.publicJwk, jkt: pins.at(-1)?.kid }
  await expect(verify({ ...bundle, proof: { ...view.proof, statement } }, {}, { keys: pins })).rejects.toThrow(
    'its log entry does not belong to its key statement',
  )
})

describe('a registry that logs one of its own keys as the key of a publisher', () => {
  const bundleWith = async (jktOf: (jkt: Jkt) => string, isPinned: boolean) => {
    const [cardSigner, log] = [await newEs256Signer(), await newEs256Signer()]
    const own = thumbprint(cardSigner.publicJwk)
    const pinOf = (signer: Signer, use: string) => ({ ...signer.publicJwk, kid: thumbprint(signer.publicJwk), credence_use: use })
    const publisherKey = isPinned ? cardSigner : await newEs256Signer()
    const now = registry.clock.now()
    const { publicCard, sdJwt, cardSha256 } = await preparePublication(
      {
        card,
        nonPublic: ['/skills/1'],
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
    const root = base64url(hashLeaf(sha256, canonical(entry)))
    const epoch = Handle.parse(`epo:${'A'.repeat(22)}`)
    const checkpoint = await signCheckpoint({ log: new URL(registry.issuer).host, size: 1, root, epoch }, log)
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
      facts_sha256: factsDigest(view),
      standing: { at: 0, dependsOn: [] },
    }
    const { payload } = processSdJwt(sdJwt, { typ: ['dc+sd-jwt'] })
    const bundle = {
      ...view,
      publicCard,
      sdJwt,
      claims: payload.agent_card,
      view: await signJwt({ typ: 'card-view+jwt', kid: own }, claims, cardSigner),
      proof: { statement, entry, inclusion: { seq: view.proof?.entry.seq, index: 0, size: 1, hashes: [] }, checkpoint },
    }
    return verify(bundle, {}, { keys: [pinOf(cardSigner, 'card'), pinOf(log, 'log')] })
  }
  test('the card of a publisher whose logged key is a key of the registry is refused, under the thumbprint of the key and under another', async () => {
    // A key that is in the log and is not a key of the registry is accepted, so only the key makes the difference below.
    expect((await bundleWith((jkt) => jkt, false)).state).toBe('verified')
    expect(await reasonOf(bundleWith((jkt) => jkt, true))).toBe('card_signature_invalid')
    expect(await reasonOf(bundleWith(() => 'A'.repeat(43), true))).toBe('card_signature_invalid')
    expect(await reasonOf(bundleWith(() => 'A'.repeat(43), false))).toBe('card_signature_invalid')
  })
})

test('an unsigned card is unverified, and a view of it with a changed owner, verdict, endpoint or text is refused', async () => {
  const acme = await registry.organisation('Other')
  const plain = await registry.agent({ registeredBy: acme })
  await plain.mutate('cards.import', { agentId: plain.agentId, card: JSON.stringify(aCard(registry)) })
  const bundle = await reader.cardView(plain.agentId)
  expect((await verify(bundle)).state).toBe('unverified')
  const { facts, text } = bundle
  for (const altered of [
    { orgId: reader.orgId },
    { facts: { ...facts, verdict: { ...facts.verdict, state: 'verified' } } },
    { facts: { ...facts, organisationName: 'Another organisation' } },
    { facts: { ...facts, endpoint: 'http://127.0.0.1:9/elsewhere' } },
    { text: { ...text, name: 'Another' } },
    { text: { ...text, name: '\ud800' } },
    { claims: { ...bundle.claims, name: '\ud800' } },
  ])
    expect(await reasonOf(verify({ ...bundle, ...altered }))).toBe('card_signature_invalid')
})
