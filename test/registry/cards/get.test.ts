import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/lib/json.js'
import type { CardView } from '../../../src/protocol/cards/card-view.js'
import { proofOf } from '../../oauth.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { introduce, reasonOf } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
let globex: Actor
let callee: AgentActor
let known: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  globex = await registry.organisation('Globex')
})
afterAll(() => registry[Symbol.asyncDispose]())

const skill = (id: string): JsonObject => ({ id, name: id, description: `does ${id}`, tags: [id] })
const SECONDS = 86_400
beforeEach(async () => {
  callee = await registry.agent({ of: acme, name: 'callee', contact: { mode: 'open' } })
  known = await registry.agent({ of: globex, ceiling: { rights: [{ audience: callee.audience, scope: 'ocr:read' }] } })
  await callee.publish({
    card: aCard(registry, { skills: ['open', 'known', 'met', 'own'].map(skill) }),
    hide: ['/skills/1', '/skills/2', '/skills/3'],
    tiers: { '/skills/1': 'authenticated', '/skills/3': 'private' },
    seconds: SECONDS,
  })
})

const skillsOf = ({ claims }: CardView) => (claims.skills as JsonObject[]).map(({ id }) => id).sort()
const asStranger = async (agentId: string): Promise<CardView> =>
  (await (await registry.fetch(`/trpc/cards.get?input=${encodeURIComponent(JSON.stringify({ agentId }))}`)).json()).result.data
const verdictFor = async (actor?: Actor) =>
  (await (actor ? actor.cardView(callee.agentId) : asStranger(callee.agentId))).facts.verdict.state

describe('who sees what', () => {
  test('a stranger gets the public card, and no trace of anything else', async () => {
    const view = await asStranger(callee.agentId)
    expect(skillsOf(view)).toEqual(['open'])
    expect([view.tier, view.sdJwt, view.view, view.proof, view.facts.expiresAt]).toEqual([
      'public',
      undefined,
      undefined,
      undefined,
      undefined,
    ])
    expect(JSON.stringify(view)).not.toMatch(/does (known|met|own)|"_sd|"\.\.\."/)
  })

  test('a known agent, an introduced one, the publisher’s people and the agent itself; nobody what is private', async () => {
    expect(skillsOf(await known.cardView(callee.agentId))).toEqual(['known', 'open'])
    const id = await introduce(known, callee)
    expect(skillsOf(await known.cardView(callee.agentId))).toEqual(['known', 'met', 'open'])
    for (const own of [callee, acme]) expect(skillsOf(await own.cardView(callee.agentId))).toEqual(['known', 'met', 'open'])
    expect(skillsOf(await globex.cardView(callee.agentId))).toEqual(['known', 'open'])
    await callee.introductions.end(id)
    expect(skillsOf(await known.cardView(callee.agentId))).toEqual(['known', 'open'])
  })

  test('a view is for its caller, for five minutes, and stands on what it was decided on', async () => {
    const id = await introduce(known, callee)
    const view = await known.cardView(callee.agentId)
    const claims = JSON.parse(Buffer.from(view.view?.split('.')[1] ?? '', 'base64url').toString())
    expect(claims).toMatchObject({ aud: known.agentId, tier: 'introduced', exp: registry.clock.now() + 300 })
    const { items } = await callee.query<{ items: { introductionId: string }[] }>('introductions.list', { role: 'to' })
    expect(items.map(({ introductionId }) => introductionId)).toEqual([id])
    const kinds = new Set(claims.standing.dependsOn.map((handle: string) => handle.split(':')[0]))
    for (const kind of ['agt', 'org', 'key', 'int', 'ver']) expect(kinds).toContain(kind)
  })

  test('both doors say the same; an authenticated answer is stored by nobody', async () => {
    const path = `/agents/${callee.agentId}/card`
    const { accessToken } = await known.token()
    const authorised = async () => ({
      authorization: `DPoP ${accessToken}`,
      dpop: await proofOf(registry, known.signer, { htm: 'GET', path, accessToken }),
    })
    for (const [headers, overTrpc, caching] of [
      [{}, await asStranger(callee.agentId), 'no-store'],
      [await authorised(), await known.cardView(callee.agentId), 'private, no-store'],
    ] as const) {
      const answer = await registry.fetch(path, { headers })
      expect(answer.headers.get('cache-control')).toBe(caching)
      const { tier, claims, sdJwt } = (await answer.json()) as CardView
      expect({ tier, claims, sdJwt }).toEqual({ tier: overTrpc.tier, claims: overTrpc.claims, sdJwt: overTrpc.sdJwt })
    }
  })

  test('an entitled view leaves an audit row, a stranger’s none', async () => {
    const rows = async () =>
      (await globex.query<{ items: { action: string; subject?: string }[] }>('audit.list', { limit: 100 })).items.filter(
        ({ action, subject }) => action === 'cards.get' && subject === callee.agentId,
      ).length
    await asStranger(callee.agentId)
    expect(await rows()).toBe(0)
    await known.cardView(callee.agentId)
    expect(await rows()).toBe(1)
  })
})

describe('what the verdict says later', () => {
  test('a key that ended: revoked, to everybody', async () => {
    const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: callee.agentId })
    await acme.mutate('keys.revoke', { keyId: items[0]?.keyId })
    expect([await verdictFor(known), await verdictFor()]).toEqual(['revoked', 'revoked'])
  })

  test('an SD-JWT that expired: stale; a stranger does not learn that there is one', async () => {
    expect([await verdictFor(known), await verdictFor()]).toEqual(['signed', 'signed'])
    registry.clock.advance(SECONDS + 1)
    expect([await verdictFor(known), await verdictFor()]).toEqual(['stale', 'signed'])
  })

  test('a change of hidden parts alone leaves what a stranger is told as it was', async () => {
    const before = await asStranger(callee.agentId)
    registry.clock.advance(60)
    await callee.publish({ card: aCard(registry, { skills: ['open', 'other'].map(skill) }), hide: ['/skills/1'] })
    const after = await asStranger(callee.agentId)
    expect({ ...after, facts: { ...after.facts, asOf: '' } }).toEqual({ ...before, facts: { ...before.facts, asOf: '' } })
  })
})

test('unknown, unpublished, revoked, and no id at all are one answer at every door', async () => {
  const revoked = await registry.agent({ of: acme })
  await revoked.publish({ card: aCard(registry) })
  await acme.mutate('agents.revoke', { agentId: revoked.agentId })
  const unpublished = await registry.agent({ of: acme })
  await unpublished.publish({ card: aCard(registry) })
  await unpublished.mutate('cards.unpublish', { agentId: unpublished.agentId })
  const cardless = await registry.agent({ of: acme })
  const ids = [revoked.agentId, unpublished.agentId, cardless.agentId, 'agt_AAAAAAAAAAAAAAAAAAAAAA']
  for (const door of ['card', '.well-known/agent-card.json', 'jwks.json']) {
    const answers = await Promise.all(
      [...ids, 'nonsense'].map(async (id) => {
        const answer = await registry.fetch(`/agents/${id}/${door}`)
        const { request_id: _, ...body } = await answer.json()
        return { status: answer.status, body, cache: answer.headers.get('cache-control') }
      }),
    )
    expect(answers[0]?.status).toBe(404)
    for (const answer of answers) expect(answer).toEqual(answers[0])
  }
  for (const id of ids) expect(await reasonOf(known.cardView(id))).toBe('not_found')
})
