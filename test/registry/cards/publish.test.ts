import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signCard } from '../../../src/credentials/agent-card/card-signatures.js'
import { signAndSplit } from '../../../src/credentials/agent-card/sign-card.js'
import { newEs256Signer, type Signer } from '../../../src/credentials/jose/sign.js'
import type { JsonObject } from '../../../src/lib/json.js'
import { systemRandom } from '../../../src/lib/random.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
let agent: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

const anAgent = async () => {
  agent = await registry.agent({ of: acme })
  return agent
}
const publish = (by: Actor, agentId: string, c0: JsonObject | string, more: object = {}) =>
  by.mutate('cards.publish', { agentId, c0: typeof c0 === 'string' ? c0 : JSON.stringify(c0), ...more })
const hidden = aCard(
  { issuer: 'https://registry.example' },
  {
    skills: [
      ...(aCard({ issuer: 'https://registry.example' }).skills as JsonObject[]),
      { id: 'secret', name: 'Secret', description: 'hidden', tags: ['hidden'] },
    ],
  },
)
const split = async (by: AgentActor, changes: object = {}, signer: Signer = by.signer) =>
  signAndSplit(
    {
      card: hidden,
      hide: ['/skills/1'],
      tiers: {},
      defaultTier: 'introduced',
      iss: by.agentId,
      sub: by.audience,
      vct: `${registry.issuer}/vct/a2a-agent-card/1`,
      agentId: by.agentId,
      version: 1,
      releaseNumber: 1,
      seconds: 86_400,
      ...changes,
    },
    { signer, random: systemRandom, now: registry.clock.now() },
  )

describe('what is signed, and by whom', () => {
  test('the agent’s own key, and a publisher key of its organisation, sign; the verdict says which', async () => {
    await anAgent()
    expect(await publish(agent, agent.agentId, await signCard(aCard(registry), agent.signer))).toMatchObject({
      version: 1,
      verdict: { state: 'signed', signedBy: 'agent' },
    })
    const publisher = await newEs256Signer()
    const { proveKey } = await import('../../../src/credentials/jose/sign.js')
    const proof = await proveKey(
      { signer: publisher, clock: registry.clock, random: systemRandom },
      { issuer: registry.issuer, owner: acme.orgId },
    )
    await acme.mutate('keys.register', { owner: acme.orgId, use: 'publisher', jwk: publisher.publicJwk, proof })
    const second = await signCard(aCard(registry, { version: '2.0.0' }), publisher)
    expect(await publish(acme, agent.agentId, second)).toMatchObject({ version: 2, verdict: { state: 'signed', signedBy: 'organisation' } })
  })

  test.each<[string, string, (signer: Signer) => Promise<JsonObject | string>]>([
    ['no signature', 'card_unsigned', async () => aCard(registry)],
    ['an empty list of signatures', 'card_unsigned', async () => aCard(registry, { signatures: [] })],
    ['a key that is not registered', 'key_untrusted', async () => signCard(aCard(registry), await newEs256Signer())],
    [
      'one changed letter',
      'card_signature_invalid',
      async (signer) => ({ ...(await signCard(aCard(registry), signer)), description: 'Reads scanned documents!' }),
    ],
    [
      'a signature with a key of its own',
      'card_signature_invalid',
      async (signer) => {
        const card = await signCard(aCard(registry), signer)
        const header = Buffer.from(JSON.stringify({ alg: 'ES256', jwk: signer.publicJwk })).toString('base64url')
        return { ...card, signatures: [{ ...(card.signatures as JsonObject[])[0], protected: header }] }
      },
    ],
    ['no interface', 'card_invalid', async (signer) => signCard(aCard(registry, { supportedInterfaces: [] }), signer)],
    ['a duplicate member', 'card_invalid', async () => '{"name":"a","name":"b"}'],
    ['a name of object internals', 'card_invalid', async () => '{"__proto__":{"x":1}}'],
    ['no JSON', 'card_invalid', async () => 'nonsense'],
    ['nesting without end', 'card_invalid', async () => `${'['.repeat(20_000)}${']'.repeat(20_000)}`],
  ])('%s is refused as %s, and nothing is kept', async (_, reason, make) => {
    await anAgent()
    expect(await reasonOf(publish(agent, agent.agentId, await make(agent.signer)))).toBe(reason)
    expect((await registry.fetch(`/agents/${agent.agentId}/.well-known/agent-card.json`)).status).toBe(404)
  })

  test('faults have a JSON Pointer and a hint', async () => {
    await anAgent()
    const card = await signCard(aCard(registry, { skills: [{ id: 'a', name: 'A', tags: [] }] }), agent.signer)
    await expect(publish(agent, agent.agentId, card)).rejects.toMatchObject({
      reason: 'card_invalid',
      faults: [{ pointer: '/skills/0/description' }],
    })
  })

  test('a key that ended a moment ago', async () => {
    await anAgent()
    const card = await signCard(aCard(registry), agent.signer)
    const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: agent.agentId })
    await acme.mutate('keys.revoke', { keyId: items[0]?.keyId })
    expect(await reasonOf(publish(acme, agent.agentId, card))).toBe('key_ended')
  })

  test('somebody else’s card: an agent of the same organisation, another organisation, unknown fields', async () => {
    await anAgent()
    const sibling = await registry.agent({ of: acme })
    const stranger = await registry.organisation('Stranger')
    const card = await signCard(aCard(registry), agent.signer)
    for (const by of [sibling, stranger]) expect(await reasonOf(publish(by, agent.agentId, card))).toBe('not_found')
    expect(await reasonOf(publish(agent, agent.agentId, card, { verdict: { state: 'verified' } }))).toBe('bad_input')
  })
})

describe('versions', () => {
  test('rise; what was published once does not come back', async () => {
    await anAgent()
    const first = await signCard(aCard(registry), agent.signer)
    await publish(agent, agent.agentId, first)
    expect(await publish(agent, agent.agentId, first)).toMatchObject({ version: 1 })
    expect(await publish(agent, agent.agentId, await signCard(aCard(registry, { version: '2.0.0' }), agent.signer))).toMatchObject({
      version: 2,
    })
    expect(await reasonOf(publish(agent, agent.agentId, first))).toBe('card_version_stale')
  })

  test('of publishers who race for one version one wins', async () => {
    await anAgent()
    const first = await split(agent)
    await publish(agent, agent.agentId, first.c0, { sdJwt: first.sdJwt, releasePolicy: first.releasePolicy })
    const seconds = await Promise.all(
      ['2.0.0', '2.0.1', '2.0.2', '2.0.3'].map((version) => split(agent, { card: { ...hidden, version }, version: 2, releaseNumber: 2 })),
    )
    const reasons = await Promise.all(
      seconds.map(({ c0, sdJwt, releasePolicy }) => reasonOf(publish(agent, agent.agentId, c0, { sdJwt, releasePolicy }))),
    )
    expect(reasons.filter((reason) => reason === 'done')).toHaveLength(1)
    // Who reads after the winner meets a version that is taken.
    const late = ['card_version_stale', 'card_version_immutable']
    expect(reasons.filter((reason) => late.includes(reason))).toHaveLength(3)
  })

  test('publishers who name no version get one each', async () => {
    await anAgent()
    const cards = await Promise.all(
      ['1.0.0', '1.0.1', '1.0.2', '1.0.3'].map((version) => signCard(aCard(registry, { version }), agent.signer)),
    )
    const outcomes = await Promise.all(
      cards.map((card) =>
        publish(agent, agent.agentId, card).then(
          (done) => (done as { version: number }).version,
          ({ reason }) => reason,
        ),
      ),
    )
    const versions = outcomes.filter((outcome) => typeof outcome === 'number').sort()
    expect(versions).toEqual(versions.map((_, i) => i + 1))
    expect(versions.length).toBeGreaterThan(0)
    expect(outcomes.filter((outcome) => outcome === 'card_version_stale')).toHaveLength(4 - versions.length)
  })

  test('an SD-JWT of another version, agent, publisher or type', async () => {
    await anAgent()
    const other = await registry.agent({ of: acme })
    for (const changes of [
      { version: 2 },
      { agentId: other.agentId, sub: other.audience },
      { iss: acme.orgId },
      { vct: 'other' },
      { seconds: 91 * 86_400 },
    ]) {
      const { c0, sdJwt, releasePolicy } = await split(agent, changes)
      expect(['sd_jwt_invalid', 'card_version_stale']).toContain(
        await reasonOf(publish(agent, agent.agentId, c0, { sdJwt, releasePolicy })),
      )
    }
    const { c0, sdJwt, releasePolicy } = await split(agent)
    expect(await reasonOf(publish(agent, agent.agentId, c0, { sdJwt, releasePolicy }))).toBe('done')
    expect(
      await reasonOf(
        publish(agent, agent.agentId, c0, await split(agent).then((one) => ({ sdJwt: one.sdJwt, releasePolicy: one.releasePolicy }))),
      ),
    ).toBe('release_policy_stale')
  })

  test('hidden parts need a release policy by the same key, for the same card; private parts are not uploaded', async () => {
    await anAgent()
    const { c0, sdJwt, ownSdJwt, releasePolicy } = await split(agent, { defaultTier: 'private' })
    expect(await reasonOf(publish(agent, agent.agentId, c0, { sdJwt: ownSdJwt, releasePolicy }))).toBe('release_policy_invalid')
    const foreign = await split(agent, {}, await newEs256Signer())
    expect(await reasonOf(publish(agent, agent.agentId, c0, { sdJwt: ownSdJwt, releasePolicy: foreign.releasePolicy }))).toBe(
      'release_policy_invalid',
    )
    expect(await reasonOf(publish(agent, agent.agentId, c0, { sdJwt: ownSdJwt }))).toBe('release_policy_invalid')
    expect(await reasonOf(publish(agent, agent.agentId, c0, { sdJwt, releasePolicy }))).toBe('done')
  })

  test('a revision that changes only hidden parts leaves version, bytes and ETag of the public card', async () => {
    await anAgent()
    const before = await agent.publish({ card: hidden, hide: ['/skills/1'] })
    const skills = [
      ...(aCard({ issuer: 'https://registry.example' }).skills as JsonObject[]),
      { id: 'secret', name: 'Other secret', description: 'hidden', tags: ['hidden'] },
    ]
    const after = await agent.publish({ card: { ...hidden, skills }, hide: ['/skills/1'] })
    expect([after.version, after.etag]).toEqual([before.version, before.etag])
    const { card } = await agent.card(agent.agentId)
    expect((card.skills as JsonObject[]).map(({ name }) => name).sort()).toEqual(['Other secret', 'Read a page'])
  })

  test('renewal: the same content under new dates is the same version; a change is refused', async () => {
    await anAgent()
    const first = await split(agent)
    await publish(agent, agent.agentId, first.c0, { sdJwt: first.sdJwt, releasePolicy: first.releasePolicy })
    registry.clock.advance(3600)
    const renewed = await split(agent, { releaseNumber: 2 })
    expect(
      await agent.mutate('cards.renew', { agentId: agent.agentId, sdJwt: renewed.sdJwt, releasePolicy: renewed.releasePolicy }),
    ).toMatchObject({ version: 1 })
    const skills = [...(hidden.skills as JsonObject[]).slice(0, 1), { id: 'secret', name: 'Changed', description: 'hidden', tags: [] }]
    const changed = await split(agent, { releaseNumber: 3, card: { ...hidden, skills } })
    expect(
      await reasonOf(agent.mutate('cards.renew', { agentId: agent.agentId, sdJwt: changed.sdJwt, releasePolicy: changed.releasePolicy })),
    ).toBe('card_version_immutable')
  })
})

describe('a change that another has overtaken between its reading and its commit', () => {
  /** Runs `first` on a server whose commit of a card waits until `then` is done elsewhere. */
  async function overtaken<T>(first: () => Promise<T>, then: () => Promise<unknown>): Promise<T> {
    let go = () => {}
    let arrived = () => {}
    const gone = new Promise<void>((resolve) => {
      go = resolve
    })
    const there = new Promise<void>((resolve) => {
      arrived = resolve
    })
    const server = await registry.addServer(async (name, work, operations) => {
      if (name === 'commit' && operations?.some((one) => 'collection' in one && one.collection === 'cards')) {
        arrived()
        await gone
      }
      return work()
    })
    const others = registry.servers.filter((one) => one !== server).map(({ port }) => port)
    registry.front.route([server.port])
    const doing = first()
    await there
    registry.front.route(others)
    await then()
    go()
    return doing
  }
  const published = async () => {
    await anAgent()
    const { c0, sdJwt, releasePolicy } = await split(agent, { defaultTier: 'authenticated' })
    await publish(agent, agent.agentId, c0, { sdJwt, releasePolicy })
  }
  const renew = async (releaseNumber: number) => {
    const { sdJwt, releasePolicy } = await split(agent, { releaseNumber, defaultTier: 'authenticated' })
    return reasonOf(agent.mutate('cards.renew', { agentId: agent.agentId, sdJwt, releasePolicy }))
  }

  test('a renewal does not bring back what was unpublished', async () => {
    await published()
    const reader = await registry.agent({ of: acme })
    const found = async () => (await reader.search({ text: 'secret' })).hits.map(({ agentId }) => agentId)
    expect(await found()).toContain(agent.agentId)
    const unpublish = () => acme.mutate('cards.unpublish', { agentId: agent.agentId })
    expect(await overtaken(() => renew(2), unpublish)).toBe('card_version_stale')
    expect(await found()).not.toContain(agent.agentId)
  })

  test('the number of the release policy never falls', async () => {
    await published()
    expect(
      await overtaken(
        () => renew(5),
        () => renew(9),
      ),
    ).toBe('card_version_stale')
    expect(await renew(7)).toBe('release_policy_stale')
    expect(await renew(10)).toBe('done')
  })
})

describe('import', () => {
  test.each<[string, (signer: Signer) => Promise<JsonObject | string>, object]>([
    ['an unsigned card', async () => aCard(registry), { state: 'accepted', verdict: { state: 'unsigned' } }],
    [
      'a card signed by a stranger',
      async () => signCard(aCard(registry), await newEs256Signer()),
      { state: 'accepted', verdict: { state: 'unknown_key' } },
    ],
    [
      'a card that was changed',
      async (signer) => ({ ...(await signCard(aCard(registry), signer)), description: 'x' }),
      { verdict: { state: 'invalid' } },
    ],
    ['a signed card', async (signer) => signCard(aCard(registry), signer), { verdict: { state: 'signed' } }],
    ['a card of version 0.1', async () => ({ name: 'a', url: 'https://a.example', authentication: { schemes: [] } }), { state: 'refused' }],
    ['no JSON', async () => '{', { state: 'refused' }],
  ])('%s', async (_, make, expected) => {
    await anAgent()
    const card = await make(agent.signer)
    expect(
      await agent.mutate('cards.import', { agentId: agent.agentId, card: typeof card === 'string' ? card : JSON.stringify(card) }),
    ).toMatchObject(expected)
  })
})

test('the public card is served byte for byte, with its ETag; unknown, unpublished and revoked are one answer', async () => {
  await anAgent()
  const signed = `${JSON.stringify(await signCard(aCard(registry), agent.signer), null, 3)}\n`
  await publish(agent, agent.agentId, signed)
  const path = `/agents/${agent.agentId}/.well-known/agent-card.json`
  const answer = await registry.fetch(path)
  expect(await answer.text()).toBe(signed)
  expect(answer.headers.get('vary')).toBe('A2A-Version')
  const etag = answer.headers.get('etag') ?? ''
  expect((await registry.fetch(path, { headers: { 'if-none-match': etag } })).status).toBe(304)
  await agent.mutate('cards.unpublish', { agentId: agent.agentId })
  const bodies = await Promise.all(
    [path, '/agents/agt_AAAAAAAAAAAAAAAAAAAAAA/.well-known/agent-card.json', '/agents/x/.well-known/agent-card.json'].map(async (one) => {
      const { status, ...rest } = await registry.fetch(one)
      return [status, (await (await registry.fetch(one)).json()).error_description, rest]
    }),
  )
  expect(bodies.map(([status, message]) => [status, message])).toEqual(Array(3).fill([404, 'no such card']))
  expect(await agent.publish({ card: aCard(registry, { version: '3.0.0' }) })).toMatchObject({ version: 2 })
})
