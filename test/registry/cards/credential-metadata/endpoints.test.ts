import { createPublicKey, verify } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newEs256Signer, proveKey } from '../../../../src/credentials/jose/sign.js'
import { systemRandom as random } from '../../../../src/lib/random.js'
import type { CardView } from '../../../../src/protocol/cards/card-view.js'
import { type Actor, aCard, type Registry, startRegistry } from '../../../registry.js'

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

const decode = (part = '') => JSON.parse(Buffer.from(part, 'base64url').toString())
const hide = { hide: ['/documentationUrl'], tiers: { '/documentationUrl': 'authenticated' } } as const
const card = () => aCard(registry, { documentationUrl: 'https://acme.example/docs' })

/** What a verifier that only knows the SD-JWT VC draft does: it finds the keys by `iss`, inserting the well-known part before the path (§4). */
async function verifyAsStranger(sdJwt: string | undefined): Promise<{ iss: string; vct: string }> {
  const jwt = sdJwt?.split('~')[0] ?? ''
  const [header, payload, signature = ''] = jwt.split('.')
  const { iss, vct } = decode(payload)
  const { origin, pathname } = new URL(iss)
  const response = await fetch(`${origin}/.well-known/jwt-vc-issuer${pathname.replace(/\/$/, '')}`)
  expect(response.headers.get('content-type')).toContain('application/json')
  const { issuer, jwks } = (await response.json()) as { issuer: string; jwks: { keys: { kid: string }[] } }
  expect(issuer).toBe(iss)
  const jwk = jwks.keys.find(({ kid }) => kid === decode(header).kid) ?? {}
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  const signed = Buffer.from(`${header}.${payload}`)
  expect(verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))).toBe(true)
  return { iss, vct }
}

test('§4 a verifier that knows only the draft finds the key of an agent by the `iss` of its card', async () => {
  const agent = await registry.agent({ registeredBy: acme })
  await agent.publish({ card: card(), ...hide })
  const reader = await registry.agent({ registeredBy: await registry.organisation('Reader') })
  const { iss } = await verifyAsStranger((await reader.cardView(agent.agentId)).sdJwt)
  expect(iss).toBe(agent.audience)
})

test('§4 and of an organisation that signs the cards of its agents', async () => {
  const publisher = await newEs256Signer()
  const proof = await proveKey({ signer: publisher, clock: registry.clock, random }, { issuer: registry.issuer, owner: acme.orgId })
  await acme.mutate('keys.register', { owner: acme.orgId, use: 'publisher', jwk: publisher.publicJwk, proof })
  const agent = await registry.agent({ registeredBy: acme })
  await registry.as(acme, { publisher }).publish({ card: card(), agentId: agent.agentId, ...hide })
  const view: CardView = await agent.cardView(agent.agentId)
  const { iss } = await verifyAsStranger(view.sdJwt)
  expect(iss).toBe(`${registry.issuer}/organisations/${acme.orgId}`)
  expect((await registry.fetch(`/.well-known/jwt-vc-issuer/agents/${agent.agentId}`)).status).toBe(404)
  const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: acme.orgId })
  await acme.mutate('keys.revoke', { keyId: items[0]?.keyId })
  expect((await registry.fetch(`/.well-known/jwt-vc-issuer/organisations/${acme.orgId}`)).status).toBe(404)
})

test('a malformed id, an unknown one, and a publisher without a published card or key get the same response', async () => {
  const [agent, organisation] = [await registry.agent({ registeredBy: acme }), await registry.organisation('Keyless')]
  for (const [kind, ids] of [
    ['agents', ['x', 'agt_AAAAAAAAAAAAAAAAAAAAAA', agent.agentId]],
    ['organisations', ['x', 'org_AAAAAAAAAAAAAAAAAAAAAA', organisation.orgId]],
  ] as const) {
    const bodies = await Promise.all(
      ids.map(async (id) => (await (await registry.fetch(`/.well-known/jwt-vc-issuer/${kind}/${id}`)).text()).replace(/req_[\w-]+/, '')),
    )
    expect(new Set(bodies).size).toBe(1)
  }
})

test('§4 the metadata of the registry has either `jwks` or `jwks_uri`, and its keys are served', async () => {
  const metadata = (await (await registry.fetch('/.well-known/jwt-vc-issuer')).json()) as Record<string, string>
  expect(Object.keys(metadata).sort()).toEqual(['issuer', 'jwks_uri'])
  expect(metadata.issuer).toBe(registry.issuer)
  expect(((await (await fetch(metadata.jwks_uri ?? '')).json()) as { keys: object[] }).keys.length).toBeGreaterThan(0)
})

test('§5 the type metadata is served at `vct`, and every published card fits its rules', async () => {
  const agent = await registry.agent({ registeredBy: acme })
  await agent.publish({ card: card(), ...hide })
  const { sdJwt } = await agent.cardView(agent.agentId)
  const payload = decode(sdJwt?.split('~')[0]?.split('.')[1])
  const response = await fetch(payload.vct)
  const type = (await response.json()) as { vct: string; claims: { path: (string | null)[]; mandatory?: boolean; sd: string }[] }
  expect(type.vct).toBe(payload.vct)
  expect(new Set(type.claims.map(({ path }) => JSON.stringify(path))).size).toBe(type.claims.length)
  /** The values that a path selects; `digest` is true where a disclosure was replaced by its digest. */
  const select = (path: readonly (string | null)[]) =>
    path.reduce<unknown[]>(
      (found, part) => found.flatMap((value) => (part === null ? (value as unknown[]) : childOf(value, part))),
      [payload],
    )
  const childOf = (value: unknown, name: string): unknown[] =>
    typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? [(value as Record<string, unknown>)[name]] : []
  const isDigest = (value: unknown) => childOf(value, '...').length > 0
  for (const { path, mandatory, sd } of type.claims) {
    const found = select(path)
    if (mandatory) expect(found.length, JSON.stringify(path)).toBeGreaterThan(0)
    if (sd === 'never') expect(found.some(isDigest), JSON.stringify(path)).toBe(false)
    expect(['always', 'allowed', 'never']).toContain(sd)
  }
  // Not covered by a rule of its own, so it may be a disclosure (the default is `allowed`)
  expect(select(['agent_card', 'documentationUrl'])).toEqual([])
})
