import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/lib/json.js'
import type { CardView } from '../../../src/protocol/cards/card-view.js'
import { proofOf } from '../../oauth/requests.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { introduce, reasonOf } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
let globex: Actor
let target: AgentActor
let reader: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  globex = await registry.organisation('Globex')
})
afterAll(() => registry[Symbol.asyncDispose]())

const skill = (id: string): JsonObject => ({ id, name: id, description: `does ${id}`, tags: [id] })
const SECONDS = 86_400
beforeEach(async () => {
  target = await registry.agent({ registeredBy: acme, introductionPolicy: { mode: 'open' } })
  reader = await registry.agent({ registeredBy: globex, ceiling: { rights: [{ audience: target.audience, scope: 'ocr:read' }] } })
  await target.publish({
    card: aCard(registry, { skills: ['public', 'authenticated', 'introduced', 'private'].map(skill) }),
    hide: ['/skills/1', '/skills/2', '/skills/3'],
    tiers: { '/skills/1': 'authenticated', '/skills/3': 'private' },
    seconds: SECONDS,
  })
})

const skillsOf = ({ claims }: CardView) => (claims.skills as JsonObject[]).map(({ id }) => id).sort()
const anonymousView = async (agentId: string): Promise<CardView> =>
  (await (await registry.fetch(`/trpc/cards.get?input=${encodeURIComponent(JSON.stringify({ agentId }))}`)).json()).result.data
const verdictFor = async (actor?: Actor) =>
  (await (actor ? actor.cardView(target.agentId) : anonymousView(target.agentId))).facts.verdict.state

describe('card views', () => {
  test('an anonymous caller gets the public card and no trace of non-public parts', async () => {
    const view = await anonymousView(target.agentId)
    expect(skillsOf(view)).toEqual(['public'])
    expect([view.tier, view.sdJwt, view.view, view.proof, view.facts.expiresAt]).toEqual([
      'public',
      undefined,
      undefined,
      undefined,
      undefined,
    ])
    expect(JSON.stringify(view)).not.toMatch(/does (authenticated|introduced|private)|"_sd|"\.\.\."/)
  })

  test('an authenticated caller sees its tier, an introduced one and the agent’s own organisation more, and no view has private parts', async () => {
    const authenticated = ['authenticated', 'public']
    const introduced = ['authenticated', 'introduced', 'public']
    expect(skillsOf(await reader.cardView(target.agentId))).toEqual(authenticated)
    const id = await introduce(reader, target)
    expect(skillsOf(await reader.cardView(target.agentId))).toEqual(introduced)
    for (const own of [target, acme]) expect(skillsOf(await own.cardView(target.agentId))).toEqual(introduced)
    expect(skillsOf(await globex.cardView(target.agentId))).toEqual(authenticated)
    await target.introductions.revoke(id)
    expect(skillsOf(await reader.cardView(target.agentId))).toEqual(authenticated)
  })

  test('a caller sees the card as callers of a lower tier do, never as those of a higher one', async () => {
    const as = (actor: Actor, tier: string) => actor.query<CardView>('cards.get', { agentId: target.agentId, as: tier })
    const withoutPosition = ({ facts: { asOf: _, ...facts }, ...view }: CardView) => ({ ...view, facts })
    const anonymous = withoutPosition(await anonymousView(target.agentId))
    // Members of the agent's own organisation preview every tier
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
    for (const own of [target, acme, await registry.join(code, 'Mia')]) {
      expect(withoutPosition(await as(own, 'anonymous'))).toEqual(anonymous)
      expect(skillsOf(await as(own, 'authenticated'))).toEqual(['authenticated', 'public'])
      expect(skillsOf(await as(own, 'introduced'))).toEqual(['authenticated', 'introduced', 'public'])
    }
    const { code: ofPerson } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'person' })
    for (const foreign of [reader, globex, registry.operator, await registry.join(ofPerson, 'Pia')]) {
      expect(await reasonOf(as(foreign, 'introduced'))).toBe('forbidden')
      expect(await as(foreign, 'authenticated')).toMatchObject({ tier: 'authenticated' })
      expect(withoutPosition(await as(foreign, 'anonymous'))).toEqual(anonymous)
    }
    await introduce(reader, target)
    expect(skillsOf(await as(reader, 'introduced'))).toEqual(['authenticated', 'introduced', 'public'])
    const lower = await as(reader, 'authenticated')
    expect(skillsOf(lower)).toEqual(['authenticated', 'public'])
    expect(JSON.stringify(lower)).not.toContain('int:')
    for (const [tier, status] of [
      ['anonymous', 200],
      ['authenticated', 401],
      ['introduced', 401],
    ] as const) {
      const input = encodeURIComponent(JSON.stringify({ agentId: target.agentId, as: tier }))
      expect((await registry.fetch(`/trpc/cards.get?input=${input}`)).status).toBe(status)
    }
  })

  test('a signed view names its caller, expires after 300 s and lists the handles that it depends on', async () => {
    const id = await introduce(reader, target)
    const view = await reader.cardView(target.agentId)
    const claims = JSON.parse(Buffer.from(view.view?.split('.')[1] ?? '', 'base64url').toString())
    expect(claims).toMatchObject({ aud: reader.agentId, tier: 'introduced', exp: registry.clock.now() + 300 })
    const { items } = await target.query<{ items: { introductionId: string }[] }>('introductions.list', { role: 'to' })
    expect(items.map(({ introductionId }) => introductionId)).toEqual([id])
    const kinds = new Set(claims.standing.dependsOn.map((handle: string) => handle.split(':')[0]))
    for (const kind of ['agt', 'org', 'key', 'int', 'ver']) expect(kinds).toContain(kind)
  })

  test('GET /agents/:id/card returns the view of cards.get, and no response to an authenticated caller may be cached', async () => {
    const path = `/agents/${target.agentId}/card`
    const { accessToken } = await reader.token()
    const authorised = async () => ({
      authorization: `DPoP ${accessToken}`,
      dpop: await proofOf(registry, reader.signer, { htm: 'GET', path, accessToken }),
    })
    for (const [headers, overTrpc, caching] of [
      [{}, await anonymousView(target.agentId), 'no-store'],
      [await authorised(), await reader.cardView(target.agentId), 'private, no-store'],
    ] as const) {
      const response = await registry.fetch(path, { headers })
      expect(response.headers.get('cache-control')).toBe(caching)
      const { tier, claims, sdJwt } = (await response.json()) as CardView
      expect({ tier, claims, sdJwt }).toEqual({ tier: overTrpc.tier, claims: overTrpc.claims, sdJwt: overTrpc.sdJwt })
    }
  })

  test('a view for an authenticated caller leaves an audit row, and a view for an anonymous caller none', async () => {
    const rows = async () =>
      (await globex.query<{ items: { action: string; subject?: string }[] }>('audit.list', { limit: 100 })).items.filter(
        ({ action, subject }) => action === 'cards.get' && subject === target.agentId,
      ).length
    await anonymousView(target.agentId)
    expect(await rows()).toBe(0)
    await reader.cardView(target.agentId)
    expect(await rows()).toBe(1)
  })
})

describe('verdicts after publication', () => {
  test('the verdict is `revoked` for every caller once the signing key was revoked', async () => {
    const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: target.agentId })
    await acme.mutate('keys.revoke', { keyId: items[0]?.keyId })
    expect([await verdictFor(reader), await verdictFor()]).toEqual(['revoked', 'revoked'])
  })

  test('the verdict is `stale` once the SD-JWT has expired, but not for anonymous callers', async () => {
    expect([await verdictFor(reader), await verdictFor()]).toEqual(['signed', 'signed'])
    registry.clock.advance(SECONDS + 1)
    expect([await verdictFor(reader), await verdictFor()]).toEqual(['stale', 'signed'])
  })

  test('a change of non-public parts alone changes nothing in the view of an anonymous caller', async () => {
    const before = await anonymousView(target.agentId)
    registry.clock.advance(60)
    await target.publish({ card: aCard(registry, { skills: ['public', 'other'].map(skill) }), hide: ['/skills/1'] })
    const after = await anonymousView(target.agentId)
    expect({ ...after, facts: { ...after.facts, asOf: '' } }).toEqual({ ...before, facts: { ...before.facts, asOf: '' } })
  })
})

test('every card endpoint gives the same response for an unknown id, a malformed id, and an unpublished or missing card', async () => {
  const unpublished = await registry.agent({ registeredBy: acme })
  await unpublished.publish({ card: aCard(registry) })
  await unpublished.mutate('cards.unpublish', { agentId: unpublished.agentId })
  const [cardless, revoked] = [await registry.agent({ registeredBy: acme }), await registry.agent({ registeredBy: acme })]
  await acme.mutate('agents.revoke', { agentId: revoked.agentId })
  const ids = [revoked.agentId, unpublished.agentId, cardless.agentId, 'agt_AAAAAAAAAAAAAAAAAAAAAA']
  for (const path of ['card', '.well-reader/agent-card.json', 'jwks.json']) {
    const responses = await Promise.all(
      [...ids, 'nonsense'].map(async (id) => {
        const response = await registry.fetch(`/agents/${id}/${path}`)
        const { request_id: _, ...body } = await response.json()
        return { status: response.status, body, cache: response.headers.get('cache-control') }
      }),
    )
    expect(responses[0]?.status).toBe(404)
    for (const response of responses) expect(response).toEqual(responses[0])
  }
  for (const id of ids) expect(await reasonOf(reader.cardView(id))).toBe('not_found')
})
