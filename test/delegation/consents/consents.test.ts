// Lists of consents, and what the organisation of a client learns about a person of another organisation.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CONSENTS } from '../../../src/delegation/consents/store.js'
import { systemRandom } from '../../../src/lib/random.js'
import { newHandle } from '../../../src/protocol/handles.js'
import { newId } from '../../../src/protocol/ids.js'
import { signedIn } from '../../identity/people/browser.js'
import { codeFor, type PersonWorld, personWorld, redeem, refresh } from '../../oauth/authorize/person-world.js'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'
import { counted } from '../uses/counted.js'

interface Listed {
  readonly items: readonly Record<string, unknown>[]
  readonly cursor?: string
}

let registry: Registry
/** The person is of another organisation than the client. */
let world: PersonWorld
let boss: Actor
beforeAll(async () => {
  registry = await startRegistry()
  const ofClient = await personWorld(registry)
  boss = await registry.organisation('Initech')
  const { code } = await boss.mutate<{ code: string }>('members.invite', { orgId: boss.orgId, role: 'person' })
  const person = await registry.join(code, 'Pia')
  world = { ...ofClient, person, browser: await signedIn(registry, person) }
})
afterAll(() => registry[Symbol.asyncDispose]())

const month = () => ({ duration: 'until', until: new Date((registry.clock.now() + 20 * 86_400) * 1000).toISOString().slice(0, 10) })
const offline = async () => {
  // Lists have an order only among different seconds
  registry.clock.advance(1)
  const asked = { resource: [registry.issuer, world.ocr.audience], scope: 'discovery:read ocr:read offline_access', prompt: 'consent' }
  return (await redeem(registry, world, await codeFor(registry, world, asked, month()), { resource: world.ocr.audience })).body
}
/** All pages of a list. */
async function all(actor: Actor, path: string, input: object = {}): Promise<readonly Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = []
  for (let cursor: string | undefined; ; ) {
    const page: Listed = await actor.query(path, { limit: 100, ...input, ...(cursor && { cursor }) })
    items.push(...page.items)
    if (page.cursor === undefined) return items
    cursor = page.cursor
  }
}

test('families are listed, with their last use, by the person, the client and administrators of both, and revoked by them', async () => {
  const { client, admin, person, ocr } = world
  const { refresh_token: token } = await offline()
  const [family] = await all(person, 'families.list')
  expect(family).toMatchObject({ client: client.agentId, memberId: person.clientId, state: 'valid', lastUsedAt: registry.clock.now() })
  for (const [actor, input] of [
    [client, {}],
    [client, { clientId: client.agentId }],
    [admin, { clientId: client.agentId }],
    [boss, { memberId: person.clientId }],
    [registry.operator, { consentId: (family?.grants as { consentId: string }[])[0]?.consentId }],
  ] as const)
    expect(await all(actor, 'families.list', input)).toMatchObject([{ familyId: family?.familyId, personId: family?.personId }])
  const stranger = await registry.organisation('Stranger')
  for (const input of [{}, { memberId: person.clientId }, { clientId: client.agentId }]) {
    expect(await stranger.query('families.list', input)).toEqual({ items: [] })
    if (!('clientId' in input)) expect(await all(admin, 'families.list', input)).toEqual([])
  }
  expect(await all(ocr, 'families.list')).toEqual([])
  const revocation = { familyId: family?.familyId, reason: 'policy' }
  expect(await reasonOf(stranger.mutate('families.revoke', revocation))).toBe('not_found')
  await client.mutate('families.revoke', revocation)
  expect(await refresh(registry, world, token, { resource: ocr.audience })).toMatchObject({ status: 400 })
  expect(await reasonOf(person.mutate('families.revoke', revocation))).toBe('already_revoked')
  const [revoked] = await all(person, 'families.list')
  expect(revoked).toMatchObject({ state: 'revoked', endedBy: client.agentId, reason: 'policy' })
  // The consents stay
  expect((await all(person, 'consents.list')).filter(({ state }) => state === 'valid')).toHaveLength(2)
})

test('nothing that the organisation of the client can read names the person, its administrators, or their sign-in', async () => {
  const { client, admin, person, ocr } = world
  const { access_token: token } = await offline()
  const ofOcr = async () =>
    (await all(person, 'consents.list')).find(({ audience, state }) => audience === ocr.audience && state === 'valid')
  await person.mutate('consents.narrow', { consentId: (await ofOcr())?.consentId, until: registry.clock.now() + 86_400 })
  await person.mutate('consents.revoke', { consentId: (await ofOcr())?.consentId, note: 'by the person' })
  await offline()
  await boss.mutate('consents.revoke', { consentId: (await ofOcr())?.consentId, note: 'by an administrator' })
  const [family] = await all(person, 'families.list')
  await person.mutate('families.revoke', { familyId: family?.familyId })
  registry.clock.advance(60)
  const consents = await all(admin, 'consents.list', { client: client.agentId })
  expect(consents.filter(({ endedBy }) => endedBy === 'member').length).toBeGreaterThanOrEqual(2)
  const read = [
    consents,
    await Promise.all(consents.map(({ consentId }) => admin.query('consents.get', { consentId }))),
    await all(admin, 'audit.list'),
    await all(admin, 'audit.export'),
    ...(await Promise.all([admin, client].map((actor) => all(actor, 'families.list', { clientId: client.agentId })))),
    ...(await Promise.all([admin, client].map((actor) => all(actor, 'tokens.list', { client: client.agentId })))),
    await all(client, 'introductions.list', { role: 'from' }),
    await all(admin, 'approvals.list'),
    await all(client, 'introductions.inbox'),
    await client.mutate('tokens.verify', { token }),
    await (await registry.fetch('/log/entries?limit=1000')).text(),
  ]
  const text = JSON.stringify(read)
  expect(text).toContain((family?.familyId as string) ?? '-')
  for (const id of [person.clientId, boss.clientId]) expect(text).not.toContain(id)
  // Nor is a guess confirmed
  for (const actor of [person.clientId, boss.clientId])
    expect(await admin.query('audit.list', { actor, subject: client.agentId })).toEqual({ items: [] })
  expect(await admin.query('audit.list', { actor: person.clientId })).toEqual({ items: [] })
  const rows = await all(boss, 'audit.list', { action: 'consents.revoke' })
  expect(rows.map(({ actor }) => actor)).toEqual([boss.clientId, person.clientId])
})

test('only the side of the person reads the names and words of a consent', async () => {
  await offline()
  const [consent] = await all(world.person, 'consents.list', { audience: world.ocr.audience })
  const { consentId } = consent ?? {}
  const { name: clientName } = await world.admin.query<{ name: string }>('agents.get', { agentId: world.client.agentId })
  for (const actor of [world.person, boss])
    expect(await actor.query('consents.get', { consentId })).toMatchObject({
      clientName,
      audienceName: expect.stringMatching('OCR'),
      words: {},
    })
  expect(consent).toMatchObject({ clientName })
  expect(Object.keys(await world.admin.query('consents.get', { consentId }))).not.toContain('audienceName')
})

test('consents that were used since a time are listed by their last use', async () => {
  await offline()
  const usedSince = registry.clock.now() + 600
  expect(await all(world.person, 'consents.list', { usedSince })).toEqual([])
  registry.clock.advance(600)
  await offline()
  const used = () => all(world.person, 'consents.list', { usedSince })
  await counted(registry, async () => (await used()).length > 0, true)
  for (const { lastUsedAt } of await used()) expect(lastUsedAt).toBeGreaterThanOrEqual(usedSince)
})

test('500 consents are listed in pages, by the person and by administrators of both sides; strangers learn not even that there are more', async () => {
  await offline()
  const consents = registry.storage.collection(CONSENTS)
  const { items } = await consents.find('member', { where: { memberId: world.person.clientId }, order: 'down', limit: 1 })
  const more = items.flatMap((consent) =>
    Array.from({ length: 500 }, (_, i) =>
      consents.inserting({
        ...consent,
        id: newId(systemRandom, 'cns'),
        handle: newHandle(systemRandom, 'cns'),
        ver: newHandle(systemRandom, 'ver'),
        createdAt: consent.createdAt + 1 + Math.floor(i / 7),
      }),
    ),
  )
  await registry.storage.commit(more)
  const own = await all(world.person, 'consents.list')
  expect(new Set(own.map(({ consentId }) => consentId)).size).toBe(own.length)
  expect(own.length).toBeGreaterThanOrEqual(502)
  const times = own.map(({ grantedAt }) => Number(grantedAt))
  expect(times).toEqual([...times].sort((a, b) => b - a))
  for (const [actor, input] of [
    [boss, { memberId: world.person.clientId }],
    [world.admin, { client: world.client.agentId }],
  ] as const)
    expect(await all(actor, 'consents.list', input)).toHaveLength(own.length)
  const input = { memberId: world.person.clientId, limit: 5 }
  for (const actor of [world.admin, world.client, await registry.organisation('Other')])
    expect(await actor.query('consents.list', input)).toEqual({ items: [] })
})

test('a list of families takes no cursor that the caller made: it would tell when the families of others began', async () => {
  const { client, person } = world
  const cursor = Buffer.from(JSON.stringify([registry.clock.now(), 'fam_zzz'])).toString('base64url')
  for (const [actor, more] of [
    [person, {}],
    [client, { clientId: client.agentId }],
  ] as const)
    expect(await reasonOf(actor.query('families.list', { ...more, cursor }))).toBe('bad_cursor')
})

test('a narrowing of a consent that changes nothing writes nothing', async () => {
  const { person, ocr } = world
  await offline()
  const consents = await all(person, 'consents.list')
  const consent = consents.find(({ audience, state }) => audience === ocr.audience && state === 'valid')
  const head = (await registry.storage.log.head())?.n
  const unchanged = await person.mutate<object>('consents.narrow', { consentId: consent?.consentId })
  expect(unchanged).toMatchObject({ consentId: consent?.consentId, state: 'valid' })
  expect((await registry.storage.log.head())?.n).toBe(head)
})
