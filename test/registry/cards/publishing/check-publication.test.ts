import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { canonicalCard } from '../../../../src/credentials/agent-card/canonical-card.js'
import { preparePublication } from '../../../../src/credentials/agent-card/sign-card.js'
import { thumbprint } from '../../../../src/credentials/jose/jwk.js'
import { newEs256Signer, proveKey, type Signer, signJwt } from '../../../../src/credentials/jose/sign.js'
import { RELEASE_TYP } from '../../../../src/credentials/jose/token-types.js'
import { base64url, utf8 } from '../../../../src/lib/bytes.js'
import type { JsonObject } from '../../../../src/lib/json.js'
import { systemRandom } from '../../../../src/lib/random.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../../registry.js'
import { reasonOf } from '../../../stories/actors.js'

let registry: Registry
let acme: Actor
let agent: AgentActor
beforeAll(async () => {
  registry = await startRegistry({ servers: 1 })
  acme = await registry.organisation('Acme')
})
beforeEach(async () => {
  agent = await registry.agent({ registeredBy: acme })
})
afterAll(() => registry[Symbol.asyncDispose]())

const publish = (card: JsonObject, more: object = {}) =>
  agent.mutate<{ version: number; verdict: { profile: string; thumbprint: string }; verifies: object }>('cards.publish', {
    agentId: agent.agentId,
    publicCard: JSON.stringify(card),
    ...more,
  })
const signatureOver = async (card: JsonObject, profile: 'sdk' | 'raw', signer: Signer = agent.signer): Promise<JsonObject> => {
  const header = base64url(utf8(JSON.stringify({ alg: 'ES256', kid: thumbprint(signer.publicJwk), typ: 'JOSE' })))
  const payload = base64url(utf8(canonicalCard(card, profile)))
  return { protected: header, signature: base64url(await signer.sign(utf8(`${header}.${payload}`))) }
}
/** The SDK form of this card has no security requirements. */
const withoutScopes = (): JsonObject =>
  aCard(registry, {
    securitySchemes: { key: { apiKeySecurityScheme: { location: 'header', name: 'X-Key' } } },
    securityRequirements: [{ schemes: { key: { list: [] } } }],
  })

describe('several signatures', () => {
  test.each([
    ['the SDK form first', ['sdk', 'raw']],
    ['the whole card first', ['raw', 'sdk']],
  ] as const)('the signature that covers most decides: %s', async (_, profiles) => {
    const card = withoutScopes()
    const signatures = [await signatureOver(card, profiles[0]), await signatureOver(card, profiles[1])]
    expect(await publish({ ...card, signatures })).toMatchObject({
      verdict: { state: 'signed', profile: 'raw', uncovered: [] },
      verifies: { raw: true, sdk: true, spec: false },
    })
    const other = await registry.agent({ registeredBy: acme })
    const imported = { ...card, signatures: await Promise.all(profiles.map((profile) => signatureOver(card, profile, other.signer))) }
    expect(await other.mutate('cards.import', { agentId: other.agentId, card: JSON.stringify(imported) })).toMatchObject({
      verdict: { state: 'signed', profile: 'raw' },
    })
  })

  test('a signature by a revoked key does not decide, even if it covers more', async () => {
    const signer = await newEs256Signer()
    const proof = await proveKey({ signer, clock: registry.clock, random: systemRandom }, { issuer: registry.issuer, owner: acme.orgId })
    const { keyId } = await acme.mutate<{ keyId: string }>('keys.register', {
      owner: acme.orgId,
      use: 'publisher',
      jwk: signer.publicJwk,
      proof,
    })
    const card = aCard(registry, { 'x-price': 1 })
    const signatures = [await signatureOver(card, 'raw', signer), await signatureOver(card, 'sdk')]
    expect((await publish({ ...card, signatures })).verdict.thumbprint).toBe(thumbprint(signer.publicJwk))
    await acme.mutate('keys.revoke', { keyId })
    const next = { ...card, version: '2' }
    const resigned = { ...next, signatures: [await signatureOver(next, 'raw', signer), await signatureOver(next, 'sdk')] }
    expect(await publish(resigned)).toMatchObject({ verdict: { profile: 'sdk', thumbprint: thumbprint(agent.signer.publicJwk) } })
  })

  test('`verifies` names only the forms that a signature of the publisher verifies', async () => {
    const card = aCard(registry, { description: '' })
    expect((await publish({ ...card, signatures: [await signatureOver(card, 'raw')] })).verifies).toEqual({
      raw: true,
      spec: true,
      sdk: false,
    })
    const next = { ...card, version: '2' }
    expect((await publish({ ...next, signatures: [await signatureOver(next, 'sdk')] })).verifies).toEqual({
      raw: false,
      spec: false,
      sdk: true,
    })
  })

  test('an SDK signature that leaves security uncovered is refused with a remedy, which works', async () => {
    const card = withoutScopes()
    const signed = { ...card, signatures: [await signatureOver(card, 'sdk')] }
    await expect(publish(signed)).rejects.toMatchObject({
      reason: 'card_signature_invalid',
      faults: [{ pointer: '/securityRequirements', hint: expect.stringContaining('agent.publish') }],
    })
    expect((await agent.publish({ card: signed })).verifies).toEqual({ raw: true, spec: true, sdk: true })
  })
})

describe('cards that other readers cannot parse', () => {
  test.each<[string, () => JsonObject, string]>([
    [
      'two flows in one scheme',
      () => {
        const flow = { tokenUrl: 'https://id.example/token', scopes: {} }
        const flows = { clientCredentials: flow, authorizationCode: { ...flow, authorizationUrl: 'https://id.example/a' } }
        return { securitySchemes: { two: { oauth2SecurityScheme: { flows } } }, securityRequirements: [] }
      },
      '/securitySchemes/two/oauth2SecurityScheme/flows',
    ],
    ['two spellings of a member', () => ({ supported_interfaces: [] }), '/supported_interfaces'],
  ])('a card with %s is not published, and is imported with a warning', async (_, make, pointer) => {
    const card = aCard(registry, make())
    await expect(agent.publish({ card: { ...card, signatures: [await signatureOver(card, 'raw')] } })).rejects.toMatchObject({
      reason: 'card_invalid',
      faults: [{ pointer }],
    })
    const hidden = await reasonOf(publish({ ...card, signatures: [await signatureOver(card, 'raw')] }))
    expect(hidden).toBe('card_invalid')
    const signed = JSON.stringify({ ...card, signatures: [await signatureOver(card, 'raw')] })
    expect(await agent.mutate('cards.import', { agentId: agent.agentId, card: signed })).toMatchObject({
      state: 'accepted',
      faults: [{ pointer }],
      verdict: { state: 'invalid', hints: [expect.stringContaining('no signature counts'), expect.stringContaining(pointer)] },
    })
  })

  test('interfaces under the original field name that were added outside an SDK signature are found', async () => {
    const card = aCard(registry)
    const added = { ...card, supported_interfaces: [{ url: 'https://evil.example', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] }
    const signed = JSON.stringify({ ...added, signatures: [await signatureOver(card, 'sdk')] })
    expect(await agent.mutate('cards.import', { agentId: agent.agentId, card: signed })).toMatchObject({ verdict: { state: 'invalid' } })
  })
})

describe('release policies', () => {
  const skills = [...(aCard({ issuer: 'https://x.example' }).skills as JsonObject[]), { id: 'b', name: 'B', description: 'B', tags: ['b'] }]
  const prepared = (changes: object = {}) =>
    preparePublication(
      {
        ...{ card: aCard(registry, { skills }), nonPublic: ['/skills/1'], tiers: {}, defaultTier: 'introduced' as const },
        ...{ iss: agent.agentId, sub: agent.audience, vct: `${registry.issuer}/vct/a2a-agent-card/1`, agentId: agent.agentId },
        ...{ version: 1, releaseNumber: 1, seconds: 60, ...changes },
      },
      { signer: agent.signer, random: systemRandom, now: registry.clock.now() },
    )
  const policyWith = async (cardSha256: string, tiers: object, more: object = {}) =>
    signJwt(
      { typ: RELEASE_TYP, kid: thumbprint(agent.signer.publicJwk) },
      {
        ...{ iss: agent.agentId, sub: agent.audience, iat: registry.clock.now(), number: 1, card_sha256: cardSha256 },
        ...{ default: 'introduced', tiers, ...more },
      },
      agent.signer,
    )

  test.each([
    '/skill/1',
    '/skills/99',
    '/skills/x',
    '/nothing/0/0',
    '/skills/0',
  ])('a policy that makes the absent part %s private is refused by its pointer', async (pointer) => {
    const { publicCard, sdJwt, cardSha256 } = await prepared()
    const releasePolicy = await policyWith(cardSha256, { [pointer]: 'private' })
    await expect(publish(JSON.parse(publicCard), { sdJwt, releasePolicy })).rejects.toMatchObject({
      reason: 'release_policy_invalid',
      faults: [{ pointer }],
    })
  })

  test('private parts, also nested ones, are accepted', async () => {
    const { publicCard, sdJwt, releasePolicy } = await prepared({
      nonPublic: ['/skills/1', '/skills/1/tags', '/iconUrl'],
      card: aCard(registry, { skills, iconUrl: 'https://x.example/i' }),
      defaultTier: 'private',
    })
    expect(await reasonOf(publish(JSON.parse(publicCard), { sdJwt, releasePolicy }))).toBe('done')
  })

  test('a policy that releases a hidden part to everybody, and one without an SD-JWT, are refused', async () => {
    const { publicCard, sdJwt, cardSha256 } = await prepared()
    const releasePolicy = await policyWith(cardSha256, {}, { default: 'public' })
    expect(await reasonOf(publish(JSON.parse(publicCard), { sdJwt, releasePolicy }))).toBe('release_policy_invalid')
    expect(await reasonOf(publish(JSON.parse(publicCard), { releasePolicy }))).toBe('release_policy_invalid')
    expect((await registry.fetch(`/agents/${agent.agentId}/.well-known/agent-card.json`)).status).toBe(404)
  })

  test('a tier without a hidden part, a default tier without hidden parts, and a misspelt option publish nothing', async () => {
    const card = aCard(registry, { skills })
    expect(await reasonOf(agent.publish({ card, tiers: { '/skills/1': 'introduced' } }))).toBe('release_policy_invalid')
    expect(await reasonOf(agent.publish({ card, hide: ['/skills/1'], tiers: { '/skill/1': 'private' } }))).toBe('release_policy_invalid')
    expect(await reasonOf(agent.publish({ card, defaultTier: 'private' }))).toBe('release_policy_invalid')
    const misspelt = { card, hidden: ['/skills/1'] }
    expect(await reasonOf(agent.publish(misspelt))).toBe('bad_input')
    expect((await registry.fetch(`/agents/${agent.agentId}/.well-known/agent-card.json`)).status).toBe(404)
  })

  test.each([
    '/skills/1/examples/0',
    '/skills/1/securityRequirements/0',
  ])('a card that hides %s, the only element of its list, is published', async (part) => {
    const requirement = { schemes: { credence: { list: ['ocr:read'] } } }
    const [open, closed] = skills
    const card = aCard(registry, { skills: [open ?? {}, { ...closed, examples: ['only'], securityRequirements: [requirement] }] })
    expect((await agent.publish({ card, hide: [part] })).verifies).toEqual({ raw: true, spec: true, sdk: true })
    expect((await agent.card(agent.agentId)).card).toEqual(card)
  })
})
