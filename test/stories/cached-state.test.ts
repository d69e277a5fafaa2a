// Two servers over one store. Server 1 has cached the records of a decision, and server 0 changes one of them. Once the change is acknowledged,
// server 1 must decide by the new state.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createAgent } from '../../src/client/index.js'
import { newEs256Signer, proveKey } from '../../src/credentials/jose/sign.js'
import type { JsonObject } from '../../src/lib/json.js'
import { systemRandom } from '../../src/lib/random.js'
import { aCard, type Registry, startRegistry } from '../registry.js'
import { aPair, introduce, type Pair, reasonOf, SCOPES } from './actors.js'

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
})
beforeEach(async () => {
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

const ports = () => registry.servers.map(({ port }) => port)
const useBoth = () => registry.front.route(ports())
/** Sends the requests of `work` to one server only. */
async function onServer<T>(server: 0 | 1, work: () => Promise<T>): Promise<T> {
  registry.front.route(ports().slice(server, server + 1))
  try {
    return await work()
  } finally {
    useBoth()
  }
}
/** The scopes of a token that the planner gets at a server, or the reason of the refusal. Each call uses a new client, which has no cached token. */
const exchangeAt = (server: 0 | 1, scope?: string) =>
  onServer(server, async () => {
    try {
      return (await registry.as(pair.planner).exchange({ audience: pair.ocr.audience, ...(scope && { scope }) })).scope
    } catch (error) {
      return reasonOf(Promise.reject(error))
    }
  })
/** Fills the cache of server 1, and then runs `change` at server 0. */
const changeAfterCaching = async (change: () => Promise<unknown>): Promise<void> => {
  // The second exchange is served from the cache
  for (let i = 0; i < 2; i++) expect(await exchangeAt(1)).toBe('ocr:read')
  await onServer(0, change)
}
const keysOf = async (owner: string) =>
  (await pair.globex.query<{ items: { keyId: string }[] }>('keys.list', { owner })).items.map(({ keyId }) => keyId)

describe('changes at another server', () => {
  test('a retired key no longer authenticates, although no handle has ended', async () => {
    await changeAfterCaching(async () => {
      const [keyId] = await keysOf(pair.planner.agentId)
      await pair.globex.mutate('keys.retire', { keyId, overlapSeconds: 0 })
    })
    expect(await exchangeAt(1)).toBe('invalid_client')
  })

  test('an additional key authenticates', async () => {
    const signer = await newEs256Signer()
    const { agentId } = pair.planner
    await changeAfterCaching(async () => {
      const proof = await proveKey({ signer, clock: registry.clock, random: systemRandom }, { issuer: registry.issuer, owner: agentId })
      await pair.globex.mutate('keys.register', { owner: agentId, use: 'client', jwk: signer.publicJwk, proof })
    })
    const client = createAgent({ issuer: registry.issuer, clientId: agentId, signer, clock: registry.clock })
    expect(await onServer(1, () => reasonOf(client.token()))).toBe('done')
  })

  test('the new ceiling applies, whether narrower or wider', async () => {
    const { audience } = pair.ocr
    const rights = (...scopes: string[]) => ({ rights: scopes.map((scope) => ({ audience, scope })) })
    const change = (ceiling: object) => pair.globex.mutate('agents.change', { agentId: pair.planner.agentId, ceiling })
    await changeAfterCaching(() => change(rights('ocr:admin')))
    expect(await exchangeAt(1, 'ocr:read')).toBe('invalid_scope')
    await onServer(0, () => change(rights(...SCOPES)))
    expect(await exchangeAt(1, 'ocr:read')).toBe('ocr:read')
  })

  test('a new introduction grants its scopes, and a revoked one grants nothing', async () => {
    let wide: string | undefined
    registry.clock.advance(1)
    await changeAfterCaching(async () => {
      wide = await introduce(pair.planner, pair.ocr, SCOPES)
    })
    expect(await exchangeAt(1)).toBe('ocr:admin ocr:read')
    await onServer(0, () => pair.ocr.introductions.revoke(wide as never))
    expect(await exchangeAt(1)).toBe('ocr:read')
    await onServer(0, () => pair.ocr.introductions.revoke(pair.introductionId))
    expect(await exchangeAt(1)).toBe('invalid_target')
  })

  test('a suspended agent is refused, and a reinstated one is not', async () => {
    const { agentId } = pair.planner
    await changeAfterCaching(() => pair.globex.mutate('agents.suspend', { agentId }))
    expect(await exchangeAt(1)).toBe('invalid_client')
    await onServer(0, () => pair.globex.mutate('agents.reinstate', { agentId }))
    expect(await onServer(1, () => reasonOf(registry.as(pair.planner).token()))).toBe('done')
    // The introduction depends on the old handle, and stays invalid
    expect(await exchangeAt(1)).toBe('invalid_target')
  })

  test('a card that moved its endpoint, or that was unpublished, has no valid introductions', async () => {
    const card = (url: string) => aCard(registry, { supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] })
    await changeAfterCaching(() => pair.ocr.publish({ card: card('http://127.0.0.1:10/a2a') }))
    expect(await exchangeAt(1)).toBe('invalid_target')
    await onServer(0, () => introduce(pair.planner, pair.ocr))
    await changeAfterCaching(() => pair.ocr.mutate('cards.unpublish', { agentId: pair.ocr.agentId }))
    expect(await exchangeAt(1)).toBe('invalid_target')
  })

  test('a token depends on the key that signed the card last, although the card is otherwise unchanged', async () => {
    const signer = await newEs256Signer()
    const owner = pair.ocr.agentId
    const [first] = await onServer(0, () => pair.acme.query<{ items: { keyId: string }[] }>('keys.list', { owner })).then(
      (list) => list.items,
    )
    await changeAfterCaching(async () => {
      const proof = await proveKey({ signer, clock: registry.clock, random: systemRandom }, { issuer: registry.issuer, owner })
      await pair.acme.mutate('keys.register', { owner, use: 'client', jwk: signer.publicJwk, proof })
      const again = createAgent({ issuer: registry.issuer, clientId: owner, signer, clock: registry.clock })
      await again.publish({ card: aCard(registry) })
    })
    expect(await exchangeAt(1)).toBe('ocr:read')
    await onServer(0, () => pair.acme.mutate('keys.revoke', { keyId: first?.keyId }))
    expect(await exchangeAt(1)).toBe('ocr:read')
  })

  test('an introduction may rely on non-public skills and scopes at once after they were published, although no log entry mentions them', async () => {
    const secret = { id: 'secret', name: 'Secret', description: 'Reads it twice', tags: ['x'] }
    const [plain = {}] = aCard(registry).skills as JsonObject[]
    const another = { id: 'another', name: 'Another', description: 'Reads it again', tags: ['x'] }
    const cardWithNonPublic = (...skills: JsonObject[]) => ({
      card: aCard(registry, { skills: [plain, ...skills] }),
      hide: skills.map((_, i) => `/skills/${i + 1}`),
    })
    await onServer(0, () => pair.ocr.publish(cardWithNonPublic(secret)))
    registry.clock.advance(1)
    await changeAfterCaching(async () => {
      await pair.ocr.publish(cardWithNonPublic(secret, another))
      await introduce(pair.planner, pair.ocr, SCOPES, { skills: ['another'] })
    })
    expect(await exchangeAt(1)).toBe('ocr:admin ocr:read')
  })

  test('a non-public skill that was taken away and is published again counts at once, although no log entry mentions it', async () => {
    const [plain = {}] = aCard(registry).skills as JsonObject[]
    const secret = { id: 'secret', name: 'Secret', description: 'Reads it twice', tags: ['x'] }
    const withSecret = { card: aCard(registry, { skills: [plain, secret] }), hide: ['/skills/1'] }
    const publish = (what: Parameters<Pair['ocr']['publish']>[0]) => onServer(0, () => pair.ocr.publish(what))
    await publish(withSecret)
    await introduce(pair.planner, pair.ocr, ['ocr:admin'], { skills: ['secret'] })
    expect(await exchangeAt(1, 'ocr:admin')).toBe('ocr:admin')
    await publish({ card: aCard(registry, { skills: [plain] }) })
    for (let i = 0; i < 2; i++) expect(await exchangeAt(1, 'ocr:admin')).toBe('invalid_scope')
    await publish(withSecret)
    expect(await exchangeAt(1, 'ocr:admin')).toBe('ocr:admin')
  })

  test('a request for an introduction follows the current introduction policy, and a card view shows the current name of the agent', async () => {
    const request = () =>
      onServer(
        1,
        async () => (await pair.planner.introductions.request({ to: pair.ocr.agentId, purpose: 'again', scopes: ['ocr:read'] })).state,
      )
    const setPolicy = (mode: string) =>
      onServer(0, () => pair.acme.mutate('agents.change', { agentId: pair.ocr.agentId, introductionPolicy: { mode } }))
    expect(await request()).toBe('pending')
    await setPolicy('open')
    expect(await request()).toBe('granted')
    await onServer(0, () => pair.acme.mutate('agents.change', { agentId: pair.ocr.agentId, name: 'Ocelot II' }))
    expect((await onServer(1, () => pair.planner.cardView(pair.ocr.agentId))).facts.agentName).toBe('Ocelot II')
    await setPolicy('closed')
    expect(await reasonOf(request())).toBe('forbidden')
  })

  test('a member has its current role', async () => {
    const { code } = await pair.acme.mutate<{ code: string }>('members.invite', { orgId: pair.acme.orgId, role: 'administrator' })
    const member = await registry.join(code, 'Mia')
    const invite = () =>
      onServer(1, () => reasonOf(registry.as(member).mutate('members.invite', { orgId: pair.acme.orgId, role: 'member' })))
    expect([await invite(), await invite()]).toEqual(['done', 'done'])
    await onServer(0, () => pair.acme.mutate('members.changeRole', { memberId: member.clientId, role: 'member' }))
    expect(await invite()).toBe('not_found')
  })
})
