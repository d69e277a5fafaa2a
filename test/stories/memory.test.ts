// Two servers over one store. One has just decided, and keeps what it has read; the other changes it. From the acknowledgement on the
// first decides by what is there now.
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
const both = () => registry.front.route(ports())
/** Runs the work at one server alone. */
async function at<T>(server: 0 | 1, work: () => Promise<T>): Promise<T> {
  registry.front.route(ports().slice(server, server + 1))
  try {
    return await work()
  } finally {
    both()
  }
}
/** What the planner is given at a server: the scopes, or why not. A new client each time, so that it keeps no token. */
const exchangeAt = (server: 0 | 1, scope?: string) =>
  at(server, async () => {
    try {
      return (await registry.as(pair.planner).exchange({ audience: pair.ocr.audience, ...(scope && { scope }) })).scope
    } catch (error) {
      return reasonOf(Promise.reject(error))
    }
  })
const changed = async (change: () => Promise<unknown>): Promise<void> => {
  // Twice: the second decides by what the first has read
  for (let i = 0; i < 2; i++) expect(await exchangeAt(1)).toBe('ocr:read')
  await at(0, change)
}
const keysOf = async (owner: string) =>
  (await pair.globex.query<{ items: { keyId: string }[] }>('keys.list', { owner })).items.map(({ keyId }) => keyId)

describe('after it was acknowledged at another server', () => {
  test('a retired key authenticates nobody, though nothing has ended', async () => {
    await changed(async () => {
      const [keyId] = await keysOf(pair.planner.agentId)
      await pair.globex.mutate('keys.retire', { keyId, overlapSeconds: 0 })
    })
    expect(await exchangeAt(1)).toBe('invalid_client')
  })

  test('one key more authenticates', async () => {
    const signer = await newEs256Signer()
    const { agentId } = pair.planner
    await changed(async () => {
      const proof = await proveKey({ signer, clock: registry.clock, random: systemRandom }, { issuer: registry.issuer, owner: agentId })
      await pair.globex.mutate('keys.register', { owner: agentId, use: 'client', jwk: signer.publicJwk, proof })
    })
    const client = createAgent({ issuer: registry.issuer, clientId: agentId, signer, clock: registry.clock })
    expect(await at(1, () => reasonOf(client.token()))).toBe('done')
  })

  test('a ceiling is what it is now, narrower and wider', async () => {
    const { audience } = pair.ocr
    const rights = (...scopes: string[]) => ({ rights: scopes.map((scope) => ({ audience, scope })) })
    const change = (ceiling: object) => pair.globex.mutate('agents.change', { agentId: pair.planner.agentId, ceiling })
    await changed(() => change(rights('ocr:admin')))
    expect(await exchangeAt(1, 'ocr:read')).toBe('invalid_scope')
    await at(0, () => change(rights(...SCOPES)))
    expect(await exchangeAt(1, 'ocr:read')).toBe('ocr:read')
  })

  test('a newer introduction gives what it grants; an ended one nothing', async () => {
    let wide: string | undefined
    registry.clock.advance(1)
    await changed(async () => {
      wide = await introduce(pair.planner, pair.ocr, SCOPES)
    })
    expect(await exchangeAt(1)).toBe('ocr:admin ocr:read')
    await at(0, () => pair.ocr.introductions.end(wide as never))
    expect(await exchangeAt(1)).toBe('ocr:read')
    await at(0, () => pair.ocr.introductions.end(pair.introductionId))
    expect(await exchangeAt(1)).toBe('invalid_target')
  })

  test('who was suspended is refused, and who is back is not', async () => {
    const { agentId } = pair.planner
    await changed(() => pair.globex.mutate('agents.suspend', { agentId }))
    expect(await exchangeAt(1)).toBe('invalid_client')
    await at(0, () => pair.globex.mutate('agents.reinstate', { agentId }))
    expect(await at(1, () => reasonOf(registry.as(pair.planner).token()))).toBe('done')
    // What stood on the old handle stays dead
    expect(await exchangeAt(1)).toBe('invalid_target')
  })

  test('a card that says something else in what callers rely on, or is gone, has no introductions', async () => {
    const card = (url: string) => aCard(registry, { supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] })
    await changed(() => pair.ocr.publish({ card: card('http://127.0.0.1:10/a2a') }))
    expect(await exchangeAt(1)).toBe('invalid_target')
    await at(0, () => introduce(pair.planner, pair.ocr))
    await changed(() => pair.ocr.mutate('cards.unpublish', { agentId: pair.ocr.agentId }))
    expect(await exchangeAt(1)).toBe('invalid_target')
  })

  test('a token stands on the key that signed the card last, though the card says the same', async () => {
    const signer = await newEs256Signer()
    const owner = pair.ocr.agentId
    const [first] = await at(0, () => pair.acme.query<{ items: { keyId: string }[] }>('keys.list', { owner })).then((list) => list.items)
    await changed(async () => {
      const proof = await proveKey({ signer, clock: registry.clock, random: systemRandom }, { issuer: registry.issuer, owner })
      await pair.acme.mutate('keys.register', { owner, use: 'client', jwk: signer.publicJwk, proof })
      const again = createAgent({ issuer: registry.issuer, clientId: owner, signer, clock: registry.clock })
      await again.publish({ card: aCard(registry) })
    })
    expect(await exchangeAt(1)).toBe('ocr:read')
    await at(0, () => pair.acme.mutate('keys.revoke', { keyId: first?.keyId }))
    expect(await exchangeAt(1)).toBe('ocr:read')
  })

  test('what a change of hidden parts has begun is relied on at once, though no entry tells of it', async () => {
    const secret = { id: 'secret', name: 'Secret', description: 'Reads it twice', tags: ['x'] }
    const [plain = {}] = aCard(registry).skills as JsonObject[]
    const another = { id: 'another', name: 'Another', description: 'Reads it again', tags: ['x'] }
    const hiding = (...skills: JsonObject[]) => ({
      card: aCard(registry, { skills: [plain, ...skills] }),
      hide: skills.map((_, i) => `/skills/${i + 1}`),
    })
    await at(0, () => pair.ocr.publish(hiding(secret)))
    registry.clock.advance(1)
    await changed(async () => {
      await pair.ocr.publish(hiding(secret, another))
      await introduce(pair.planner, pair.ocr, SCOPES, { skills: ['another'] })
    })
    expect(await exchangeAt(1)).toBe('ocr:admin ocr:read')
  })

  test('who asks for an introduction is asked what the contact policy says now, and an agent has the name that it has now', async () => {
    const ask = () =>
      at(1, async () => (await pair.planner.introductions.request({ to: pair.ocr.agentId, purpose: 'again', scopes: ['ocr:read'] })).state)
    const policy = (mode: string) => at(0, () => pair.acme.mutate('agents.change', { agentId: pair.ocr.agentId, contact: { mode } }))
    expect(await ask()).toBe('pending')
    await policy('open')
    expect(await ask()).toBe('granted')
    await at(0, () => pair.acme.mutate('agents.change', { agentId: pair.ocr.agentId, name: 'Ocelot II' }))
    expect((await at(1, () => pair.planner.cardView(pair.ocr.agentId))).facts.agentName).toBe('Ocelot II')
    await policy('closed')
    expect(await reasonOf(ask())).toBe('forbidden')
  })

  test('a member has the role that it has now', async () => {
    const { code } = await pair.acme.mutate<{ code: string }>('members.invite', { orgId: pair.acme.orgId, role: 'administrator' })
    const member = await registry.join(code, 'Mia')
    const invite = () => at(1, () => reasonOf(registry.as(member).mutate('members.invite', { orgId: pair.acme.orgId, role: 'member' })))
    expect([await invite(), await invite()]).toEqual(['done', 'done'])
    await at(0, () => pair.acme.mutate('members.changeRole', { memberId: member.clientId, role: 'member' }))
    expect(await invite()).toBe('not_found')
  })
})
