import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signCard } from '../../../src/credentials/agent-card/card-signatures.js'
import { preparePublication } from '../../../src/credentials/agent-card/sign-card.js'
import { newEs256Signer, proveKey, type Signer } from '../../../src/credentials/jose/sign.js'
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
  agent = await registry.agent({ registeredBy: acme })
  return agent
}
const publish = (actor: Actor, agentId: string, card: JsonObject | string, more: object = {}) =>
  actor.mutate('cards.publish', { agentId, publicCard: typeof card === 'string' ? card : JSON.stringify(card), ...more })
const cardWithSecret = aCard(
  { issuer: 'https://registry.example' },
  {
    skills: [
      ...(aCard({ issuer: 'https://registry.example' }).skills as JsonObject[]),
      { id: 'secret', name: 'Secret', description: 'secret', tags: ['secret'] },
    ],
  },
)
const prepare = async (publisher: AgentActor, changes: object = {}, signer: Signer = publisher.signer) =>
  preparePublication(
    {
      card: cardWithSecret,
      nonPublic: ['/skills/1'],
      tiers: {},
      defaultTier: 'introduced',
      iss: publisher.agentId,
      sub: publisher.audience,
      vct: `${registry.issuer}/vct/a2a-agent-card/1`,
      agentId: publisher.agentId,
      version: 1,
      releaseNumber: 1,
      seconds: 86_400,
      ...changes,
    },
    { signer, random: systemRandom, now: registry.clock.now() },
  )

describe('signatures', () => {
  test('the agent’s own key and a publisher key of its organisation may sign, and the verdict says which', async () => {
    await anAgent()
    expect(await publish(agent, agent.agentId, await signCard(aCard(registry), agent.signer))).toMatchObject({
      version: 1,
      verdict: { state: 'signed', signedBy: 'agent' },
    })
    const publisher = await newEs256Signer()

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
    ['a signature by an unregistered key', 'key_untrusted', async () => signCard(aCard(registry), await newEs256Signer())],
    [
      'one changed letter',
      'card_signature_invalid',
      async (signer) => ({ ...(await signCard(aCard(registry), signer)), description: 'Reads scanned documents!' }),
    ],
    [
      'a public key in the header of its signature',
      'card_signature_invalid',
      async (signer) => {
        const card = await signCard(aCard(registry), signer)
        const header = Buffer.from(JSON.stringify({ alg: 'ES256', jwk: signer.publicJwk })).toString('base64url')
        return { ...card, signatures: [{ ...(card.signatures as JsonObject[])[0], protected: header }] }
      },
    ],
    ['no interface', 'card_invalid', async (signer) => signCard(aCard(registry, { supportedInterfaces: [] }), signer)],
    ['a duplicate member', 'card_invalid', async () => '{"name":"a","name":"b"}'],
    ['a member named __proto__', 'card_invalid', async () => '{"__proto__":{"x":1}}'],
    ['a body that is not JSON', 'card_invalid', async () => 'nonsense'],
    ['20,000 levels of nesting', 'card_invalid', async () => `${'['.repeat(20_000)}${']'.repeat(20_000)}`],
  ])('a card with %s is refused as %s, and nothing is stored', async (_, reason, make) => {
    await anAgent()
    expect(await reasonOf(publish(agent, agent.agentId, await make(agent.signer)))).toBe(reason)
    expect((await registry.fetch(`/agents/${agent.agentId}/.well-known/agent-card.json`)).status).toBe(404)
  })

  test('a fault of the card names the member by a JSON Pointer', async () => {
    await anAgent()
    const card = await signCard(aCard(registry, { skills: [{ id: 'a', name: 'A', tags: [] }] }), agent.signer)
    await expect(publish(agent, agent.agentId, card)).rejects.toMatchObject({
      reason: 'card_invalid',
      faults: [{ pointer: '/skills/0/description' }],
    })
  })

  test('a card signed by a key that was just revoked is refused as key_revoked', async () => {
    await anAgent()
    const card = await signCard(aCard(registry), agent.signer)
    const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: agent.agentId })
    await acme.mutate('keys.revoke', { keyId: items[0]?.keyId })
    expect(await reasonOf(publish(acme, agent.agentId, card))).toBe('key_revoked')
  })

  test('another agent of the organisation and another organisation get not_found, and an unknown input field gets bad_input', async () => {
    await anAgent()
    const sibling = await registry.agent({ registeredBy: acme })
    const outsider = await registry.organisation('Outsider')
    const card = await signCard(aCard(registry), agent.signer)
    for (const actor of [sibling, outsider]) expect(await reasonOf(publish(actor, agent.agentId, card))).toBe('not_found')
    expect(await reasonOf(publish(agent, agent.agentId, card, { verdict: { state: 'verified' } }))).toBe('bad_input')
  })
})

describe('versions', () => {
  test('each new content gets the next version, and so does the content of an earlier version', async () => {
    await anAgent()
    const first = await signCard(aCard(registry), agent.signer)
    await publish(agent, agent.agentId, first)
    expect(await publish(agent, agent.agentId, first)).toMatchObject({ version: 1 })
    expect(await publish(agent, agent.agentId, await signCard(aCard(registry, { version: '2.0.0' }), agent.signer))).toMatchObject({
      version: 2,
    })
    expect(await publish(agent, agent.agentId, first)).toMatchObject({ version: 3 })
  })

  test('one of several concurrent publishers of the same version succeeds', async () => {
    await anAgent()
    const first = await prepare(agent)
    await publish(agent, agent.agentId, first.publicCard, { sdJwt: first.sdJwt, releasePolicy: first.releasePolicy })
    const seconds = await Promise.all(
      ['2.0.0', '2.0.1', '2.0.2', '2.0.3'].map((version) =>
        prepare(agent, { card: { ...cardWithSecret, version }, version: 2, releaseNumber: 2 }),
      ),
    )
    const reasons = await Promise.all(
      seconds.map(({ publicCard, sdJwt, releasePolicy }) => reasonOf(publish(agent, agent.agentId, publicCard, { sdJwt, releasePolicy }))),
    )
    expect(reasons.filter((reason) => reason === 'done')).toHaveLength(1)
    // A publisher that reads the card after the winner's commit gets another reason: the version exists.
    const late = ['card_version_stale', 'card_version_immutable']
    expect(reasons.filter((reason) => late.includes(reason))).toHaveLength(3)
  })

  test('concurrent publishers without an SD-JWT get consecutive versions or card_version_stale', async () => {
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

  test('an SD-JWT of another version, agent, publisher, type or lifetime is refused, and a release number cannot be used twice', async () => {
    await anAgent()
    const other = await registry.agent({ registeredBy: acme })
    for (const [changes, reason] of [
      [{ version: 2 }, 'card_version_stale'],
      [{ agentId: other.agentId, sub: other.audience }, 'sd_jwt_invalid'],
      [{ iss: acme.orgId }, 'sd_jwt_invalid'],
      [{ vct: 'other' }, 'sd_jwt_invalid'],
      [{ seconds: 91 * 86_400 }, 'sd_jwt_invalid'],
    ] as const) {
      const { publicCard, sdJwt, releasePolicy } = await prepare(agent, changes)
      expect(await reasonOf(publish(agent, agent.agentId, publicCard, { sdJwt, releasePolicy }))).toBe(reason)
    }
    const { publicCard, sdJwt, releasePolicy } = await prepare(agent)
    expect(await reasonOf(publish(agent, agent.agentId, publicCard, { sdJwt, releasePolicy }))).toBe('done')
    expect(
      await reasonOf(
        publish(
          agent,
          agent.agentId,
          publicCard,
          await prepare(agent).then((again) => ({ sdJwt: again.sdJwt, releasePolicy: again.releasePolicy })),
        ),
      ),
    ).toBe('release_policy_stale')
  })

  test('non-public parts need a release policy by the key that signed the card, and private parts are refused', async () => {
    await anAgent()
    const { publicCard, sdJwt, ownSdJwt, releasePolicy } = await prepare(agent, { defaultTier: 'private' })
    expect(await reasonOf(publish(agent, agent.agentId, publicCard, { sdJwt: ownSdJwt, releasePolicy }))).toBe('release_policy_invalid')
    const foreign = await prepare(agent, {}, await newEs256Signer())
    expect(await reasonOf(publish(agent, agent.agentId, publicCard, { sdJwt: ownSdJwt, releasePolicy: foreign.releasePolicy }))).toBe(
      'release_policy_invalid',
    )
    expect(await reasonOf(publish(agent, agent.agentId, publicCard, { sdJwt: ownSdJwt }))).toBe('release_policy_invalid')
    expect(await reasonOf(publish(agent, agent.agentId, publicCard, { sdJwt, releasePolicy }))).toBe('done')
  })

  test('a revision of non-public parts keeps the version and the ETag of the public card', async () => {
    await anAgent()
    const before = await agent.publish({ card: cardWithSecret, hide: ['/skills/1'] })
    const skills = [
      ...(aCard({ issuer: 'https://registry.example' }).skills as JsonObject[]),
      { id: 'secret', name: 'Other secret', description: 'secret', tags: ['secret'] },
    ]
    const after = await agent.publish({ card: { ...cardWithSecret, skills }, hide: ['/skills/1'] })
    expect([after.version, after.etag]).toEqual([before.version, before.etag])
    const { card } = await agent.card(agent.agentId)
    expect((card.skills as JsonObject[]).map(({ name }) => name).sort()).toEqual(['Other secret', 'Read a page'])
  })

  test('a renewal with the same content and new dates keeps the version, and a renewal with changed content is refused', async () => {
    await anAgent()
    const first = await prepare(agent)
    await publish(agent, agent.agentId, first.publicCard, { sdJwt: first.sdJwt, releasePolicy: first.releasePolicy })
    registry.clock.advance(3600)
    const renewed = await prepare(agent, { releaseNumber: 2 })
    expect(
      await agent.mutate('cards.renew', { agentId: agent.agentId, sdJwt: renewed.sdJwt, releasePolicy: renewed.releasePolicy }),
    ).toMatchObject({ version: 1 })
    const skills = [
      ...(cardWithSecret.skills as JsonObject[]).slice(0, 1),
      { id: 'secret', name: 'Changed', description: 'secret', tags: [] },
    ]
    const changed = await prepare(agent, { releaseNumber: 3, card: { ...cardWithSecret, skills } })
    expect(
      await reasonOf(agent.mutate('cards.renew', { agentId: agent.agentId, sdJwt: changed.sdJwt, releasePolicy: changed.releasePolicy })),
    ).toBe('card_version_immutable')
  })
})

describe('two changes between read and commit', () => {
  /** Runs `slow` on a server whose commit of a card waits until `fast` has completed on the other servers. */
  async function raced<T>(slow: () => Promise<T>, fast: () => Promise<unknown>): Promise<T> {
    let release = () => {}
    let arrive = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve
    })
    const server = await registry.addServer(async (name, work, operations) => {
      if (name === 'commit' && operations?.some((one) => 'collection' in one && one.collection === 'cards')) {
        arrive()
        await released
      }
      return work()
    })
    const others = registry.servers.filter((one) => one !== server).map(({ port }) => port)
    registry.front.route([server.port])
    const result = slow()
    await arrived
    registry.front.route(others)
    await fast()
    release()
    return result
  }
  const publishFirst = async () => {
    await anAgent()
    const { publicCard, sdJwt, releasePolicy } = await prepare(agent, { defaultTier: 'authenticated' })
    await publish(agent, agent.agentId, publicCard, { sdJwt, releasePolicy })
  }
  const renew = async (releaseNumber: number) => {
    const { sdJwt, releasePolicy } = await prepare(agent, { releaseNumber, defaultTier: 'authenticated' })
    return reasonOf(agent.mutate('cards.renew', { agentId: agent.agentId, sdJwt, releasePolicy }))
  }

  test('a renewal that commits after an unpublishing is refused and does not restore the card', async () => {
    await publishFirst()
    const reader = await registry.agent({ registeredBy: acme })
    const found = async () => (await reader.search({ text: 'secret' })).hits.map(({ agentId }) => agentId)
    expect(await found()).toContain(agent.agentId)
    const unpublish = () => acme.mutate('cards.unpublish', { agentId: agent.agentId })
    expect(await raced(() => renew(2), unpublish)).toBe('card_version_stale')
    expect(await found()).not.toContain(agent.agentId)
  })

  test('a renewal that commits after another one cannot lower the number of the release policy', async () => {
    await publishFirst()
    expect(
      await raced(
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
    ['an unsigned card is stored as `unsigned`', async () => aCard(registry), { state: 'accepted', verdict: { state: 'unsigned' } }],
    [
      'a card signed by an unregistered key is stored as `unknown_key`',
      async () => signCard(aCard(registry), await newEs256Signer()),
      { state: 'accepted', verdict: { state: 'unknown_key' } },
    ],
    [
      'a card that was changed after it was signed is stored as `invalid`',
      async (signer) => ({ ...(await signCard(aCard(registry), signer)), description: 'x' }),
      { verdict: { state: 'invalid' } },
    ],
    [
      'a card signed by a registered key is stored as `signed`',
      async (signer) => signCard(aCard(registry), signer),
      { verdict: { state: 'signed' } },
    ],
    [
      'a card of A2A version 0.1 is stored as `nonconformant`',
      async () => ({ name: 'a', url: 'https://a.example', authentication: { schemes: [] } }),
      { state: 'nonconformant', a2aVersion: '0.1', verdict: { state: 'nonconformant' } },
    ],
    ['a text that is not JSON is refused', async () => '{', { state: 'refused' }],
  ])('%s', async (_, make, expected) => {
    await anAgent()
    const card = await make(agent.signer)
    expect(
      await agent.mutate('cards.import', { agentId: agent.agentId, card: typeof card === 'string' ? card : JSON.stringify(card) }),
    ).toMatchObject(expected)
  })
})

test('the public card is served byte for byte with its ETag until it is unpublished', async () => {
  await anAgent()
  const signed = `${JSON.stringify(await signCard(aCard(registry), agent.signer), null, 3)}\n`
  await publish(agent, agent.agentId, signed)
  const path = `/agents/${agent.agentId}/.well-known/agent-card.json`
  const response = await registry.fetch(path)
  expect(await response.text()).toBe(signed)
  expect(response.headers.get('vary')).toBe('A2A-Version')
  const etag = response.headers.get('etag') ?? ''
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
