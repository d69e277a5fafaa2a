import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemRandom } from '../../src/lib/random.js'
import { TOKENS } from '../../src/oauth/store.js'
import { newId } from '../../src/protocol/ids.js'
import { signedIn } from '../identity/people/browser.js'
import { type Actor, type Registry, startRegistry } from '../registry.js'
import { aPair, type Pair, reasonOf } from '../stories/actors.js'
import { codeFor, personWorld, redeem } from './authorize/person-world.js'

let registry: Registry
let pair: Pair
let taskId: string
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
  taskId = (await pair.planner.tasks.create({ description: 'x', seconds: 7200 })).taskId
  for (let i = 0; i < 3; i++) await pair.planner.exchange({ audience: pair.ocr.audience, taskId })
  await pair.planner.exchange({ audience: pair.ocr.audience })
})
afterAll(() => registry[Symbol.asyncDispose]())

interface List {
  readonly items: readonly { readonly tokenId: string; readonly audience: string; readonly taskId?: string; readonly revoked: boolean }[]
  readonly cursor?: string
}
const list = (actor: Actor, input: object) => actor.query<List>('tokens.list', input)

test('tokens are listed by client, task, introduction and audience, newest first, to the sides of each and to operators', async () => {
  const { planner, ocr, acme, globex, introductionId } = pair
  for (const actor of [planner, globex, registry.operator]) {
    // The root token of the planner is one more
    expect((await list(actor, { client: planner.agentId })).items).toHaveLength(5)
    expect((await list(actor, { task: taskId })).items.map((token) => token.taskId)).toEqual([taskId, taskId, taskId])
  }
  for (const actor of [planner, globex, ocr, acme]) expect((await list(actor, { introduction: introductionId })).items).toHaveLength(4)
  for (const actor of [ocr, acme, registry.operator]) {
    const { items } = await list(actor, { audience: ocr.audience })
    expect(items.map(({ audience }) => audience)).toEqual(Array.from({ length: 4 }, () => ocr.audience))
  }
})

test('others get not_found, as for an unknown id, whatever the filter', async () => {
  const { planner, ocr, acme, introductionId } = pair
  const stranger = await registry.agent()
  const filters = [{ client: planner.agentId }, { task: taskId }, { introduction: introductionId }, { audience: ocr.audience }]
  for (const filter of filters) expect(await reasonOf(list(stranger, filter))).toBe('not_found')
  expect(await reasonOf(list(acme, { client: planner.agentId }))).toBe('not_found')
  expect(await reasonOf(list(planner, { audience: ocr.audience }))).toBe('not_found')
  const unknown = 'A'.repeat(22)
  for (const filter of [
    { client: `agt_${unknown}` },
    { task: `tsk_${unknown}` },
    { introduction: `int_${unknown}` },
    { audience: `${registry.issuer}/agents/agt_${unknown}` },
    { audience: registry.issuer },
  ])
    expect(await reasonOf(list(stranger, filter))).toBe('not_found')
})

test('exactly one filter is needed, and a misspelt one is refused', async () => {
  const { planner } = pair
  for (const input of [{}, { client: planner.agentId, task: taskId }, { agent: planner.agentId }, { client: 'x' }])
    expect(await reasonOf(list(planner, input))).toBe('bad_input')
})

test('the tokens of a consent are listed to the person, and to the client without other tokens', async () => {
  const world = await personWorld(registry)
  const { person, client, admin, calledAdmin, ocr } = world
  const other = await registry.organisation('Other')
  const code = await codeFor(registry, world, {})
  await redeem(registry, world, code, { resource: ocr.audience })
  await client.exchange({ audience: ocr.audience })
  const { items } = await person.query<{ items: { consentId: string; audience: string }[] }>('consents.list')
  const consent = items.find(({ audience }) => audience === ocr.audience)?.consentId
  for (const actor of [person, admin])
    expect((await list(actor, { consent, alive: true })).items).toMatchObject([{ clientId: client.agentId, audience: ocr.audience }])
  for (const actor of [calledAdmin, other, ocr, client]) expect(await reasonOf(list(actor, { consent }))).toBe('not_found')
})

test('an administrator of the person alone does not see the tokens of a client of another organisation', async () => {
  const world = await personWorld(registry)
  const { code: invitation } = await world.calledAdmin.mutate<{ code: string }>('members.invite', {
    orgId: world.calledAdmin.orgId,
    role: 'person',
  })
  const person = await registry.join(invitation, 'Pia')
  const ofPerson = { ...world, person, browser: await signedIn(registry, person) }
  const code = await codeFor(registry, ofPerson, { prompt: 'consent' })
  await redeem(registry, ofPerson, code, { resource: world.ocr.audience })
  const { items } = await person.query<{ items: { consentId: string; audience: string }[] }>('consents.list')
  const consent = items.find(({ audience }) => audience === world.ocr.audience)?.consentId
  expect((await list(person, { consent })).items).toHaveLength(1)
  expect(await list(world.calledAdmin, { consent })).toEqual({ items: [] })
})

test('pages continue without a gap, also of tokens that are alive', async () => {
  const { planner } = pair
  for (const alive of [false, true]) {
    const all = (await list(planner, { client: planner.agentId, alive })).items.map(({ tokenId }) => tokenId)
    const found: string[] = []
    let cursor: string | undefined
    do {
      const page: List = await list(planner, { client: planner.agentId, alive, limit: 2, ...(cursor && { cursor }) })
      expect(page.items.length).toBeLessThanOrEqual(2)
      found.push(...page.items.map(({ tokenId }) => tokenId))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(found).toEqual(all)
  }
})

test('alive leaves out tokens that were revoked or have expired', async () => {
  const { planner, ocr } = pair
  const { accessToken } = await planner.exchange({ audience: ocr.audience })
  const alive = async () => (await list(ocr, { audience: ocr.audience, alive: true })).items.length
  expect(await alive()).toBe(5)
  await planner.revoke(accessToken)
  expect(await alive()).toBe(4)
  registry.clock.advance(301)
  expect(await alive()).toBe(0)
  expect((await list(ocr, { audience: ocr.audience })).items).toHaveLength(5)
})

test('a cursor names no token that the caller may not see, and none but this registry makes one', async () => {
  const { acme, globex, ocr, planner, introductionId } = pair
  const tokens = registry.storage.collection(TOKENS)
  const one = (await tokens.find('audience', { where: { audience: ocr.audience }, order: 'down', limit: 1 })).items[0]
  if (!one) throw new Error('no token')
  const foreign: string[] = []
  const { introductionId: _, ...other } = one
  for (let i = 1; i <= 2001; i++) {
    const id = newId(systemRandom, 'tok')
    foreign.push(id)
    await tokens.insert({ ...other, id, issuedAt: one.issuedAt + i })
  }
  const first = await list(planner, { introduction: introductionId })
  expect(first).toEqual({ items: [], cursor: expect.any(String) })
  const { cursor = '' } = first
  const text =
    Buffer.from(cursor.split('.').at(-1) ?? '', 'base64url').toString('latin1') + Buffer.from(cursor, 'base64url').toString('latin1')
  expect(foreign.filter((id) => text.includes(id))).toEqual([])
  expect((await list(planner, { introduction: introductionId, cursor })).items.length).toBeGreaterThan(0)
  // A position of one's own making would tell where the tokens of others are
  const forged = Buffer.from(JSON.stringify([one.issuedAt + 5, 'tok_zzz'])).toString('base64url')
  for (const [actor, more] of [
    [planner, { cursor: forged }],
    [globex, { cursor }],
    [acme, { cursor }],
    [planner, { cursor, alive: true }],
  ] as const)
    expect(await reasonOf(list(actor, { introduction: introductionId, ...more }))).toBe('bad_cursor')
})
