// Who ended what, when and why, also after the ended set has forgotten it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { auditStore } from '../../src/audit/store.js'
import type { LineageNode } from '../../src/client/index.js'
import { type Entry, type Position, parsePosition } from '../../src/protocol/log/entry.js'
import { claimsOf } from '../claims-of.js'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../registry.js'
import { aPair, aPublishedAgent, introduce, type Pair, reasonOf } from '../stories/actors.js'

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

const idOf = (accessToken: string) => claimsOf(accessToken).jti
const REASON = { reason: 'policy', note: 'the contract ended' } as const
const nodeOf = async (actor: Actor, tokenId: string): Promise<LineageNode | undefined> =>
  (await actor.lineage({ tokenId })).find((node) => node.tokenId === tokenId)
/** Past the expiry of every token, and past what the ended set remembers of it. */
const forget = () => registry.clock.advance(2000)

interface KeyList {
  readonly items: readonly { readonly keyId: string; readonly state: string }[]
}

describe('every verb that ends something keeps who, when and why', () => {
  const inList = async (actor: Actor, path: string, input: object, id: object) =>
    (await actor.query<{ items: object[] }>(path, input)).items.find((item) =>
      Object.entries(id).every(([k, v]) => k in item && Reflect.get(item, k) === v),
    )

  test.each<[string, () => Promise<{ readonly by: Actor; readonly view: () => Promise<unknown> }>]>([
    [
      'tasks.end',
      async () => {
        const { taskId } = await pair.planner.tasks.create({ description: 'x' })
        await pair.planner.tasks.end(taskId, REASON)
        return { by: pair.planner, view: () => pair.planner.tasks.get(taskId) }
      },
    ],
    [
      'introductions.revoke',
      async () => {
        const introductionId = await introduce(pair.planner, pair.ocr)
        await pair.ocr.introductions.revoke(introductionId, REASON)
        return { by: pair.ocr, view: () => pair.planner.introductions.get(introductionId) }
      },
    ],
    [
      'introductions.revoke of a pending request',
      async () => {
        const { introductionId } = await pair.planner.introductions.request({ to: pair.ocr.agentId, purpose: 'x', scopes: ['ocr:read'] })
        await pair.planner.introductions.revoke(introductionId, REASON)
        expect((await pair.ocr.introductions.inbox()).items.at(-1)).toMatchObject({ kind: 'ended', introductionId })
        const view = async () => {
          const introduction = await pair.ocr.introductions.get(introductionId)
          expect(introduction.state).toBe('ended')
          return introduction
        }
        return { by: pair.planner, view }
      },
    ],
    [
      'tokens.revoke',
      async () => {
        const tokenId = idOf((await pair.planner.exchange({ audience: pair.ocr.audience })).accessToken)
        await pair.planner.mutate('tokens.revoke', { tokenId, ...REASON })
        return { by: pair.planner, view: () => nodeOf(pair.planner, tokenId) }
      },
    ],
    [
      '/oauth/revoke',
      async () => {
        const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
        await pair.planner.revoke(accessToken, REASON)
        return { by: pair.planner, view: () => nodeOf(pair.planner, idOf(accessToken)) }
      },
    ],
    [
      'agents.suspend',
      async () => {
        const { agentId } = await registry.agent({ registeredBy: pair.acme })
        await pair.acme.mutate('agents.suspend', { agentId, ...REASON })
        return { by: pair.acme, view: () => pair.acme.query('agents.get', { agentId }) }
      },
    ],
    [
      'agents.revoke',
      async () => {
        const { agentId } = await registry.agent({ registeredBy: pair.acme })
        await pair.acme.mutate('agents.revoke', { agentId, ...REASON })
        return { by: pair.acme, view: () => inList(pair.acme, 'agents.list', { limit: 100 }, { agentId }) }
      },
    ],
    [
      'keys.revoke',
      async () => {
        const { agentId } = await registry.agent({ registeredBy: pair.acme })
        const [key] = (await pair.acme.query<KeyList>('keys.list', { owner: agentId })).items
        await pair.acme.mutate('keys.revoke', { keyId: key?.keyId, ...REASON })
        return { by: pair.acme, view: () => inList(pair.acme, 'keys.list', { owner: agentId }, { keyId: key?.keyId }) }
      },
    ],
    [
      'members.revoke',
      async () => {
        const { code } = await pair.acme.mutate<{ code: string }>('members.invite', { orgId: pair.acme.orgId, role: 'member' })
        const { clientId: memberId } = await registry.join(code, 'Mia')
        await pair.acme.mutate('members.revoke', { memberId, ...REASON })
        return { by: pair.acme, view: () => inList(pair.acme, 'members.list', { orgId: pair.acme.orgId }, { memberId }) }
      },
    ],
    [
      'organisations.revoke',
      async () => {
        const { orgId } = await registry.organisation('Initech')
        await registry.operator.mutate('organisations.revoke', { orgId, ...REASON })
        return { by: registry.operator, view: () => registry.operator.query('organisations.get', { orgId }) }
      },
    ],
  ])('%s', async (_, end) => {
    const now = registry.clock.now()
    const { by, view } = await end()
    const expected = { endedAt: now, endedBy: by.clientId, ...REASON }
    expect(await view()).toMatchObject(expected)
    forget()
    expect(await view()).toMatchObject(expected)
  })

  test('introductions.deny keeps who, when and the note of the denial', async () => {
    const { introductionId } = await pair.planner.introductions.request({ to: pair.ocr.agentId, purpose: 'x', scopes: ['ocr:read'] })
    const note = 'n'.repeat(512)
    const denied = { state: 'denied', endedAt: registry.clock.now(), endedBy: pair.ocr.clientId, note }
    expect(await pair.ocr.introductions.deny(introductionId, note)).toMatchObject(denied)
    expect(await pair.planner.introductions.get(introductionId)).toMatchObject(denied)
  })

  test('a key that was compromised, and what it granted', async () => {
    const { agentId } = await registry.agent({ registeredBy: pair.acme })
    const { items } = await pair.acme.query<KeyList>('keys.list', { owner: agentId })
    await pair.acme.mutate('keys.compromise', { keyId: items[0]?.keyId, since: 0, note: 'the laptop was stolen' })
    const after = await pair.acme.query<KeyList>('keys.list', { owner: agentId })
    expect(after.items).toMatchObject([{ state: 'revoked', reason: 'compromised', note: 'the laptop was stolen' }])
  })

  test('a card that was unpublished and a signing key, in the audit log', async () => {
    const agent = await aPublishedAgent(registry, { registeredBy: pair.acme })
    await agent.mutate('cards.unpublish', { agentId: agent.agentId, ...REASON })
    const cards = await pair.acme.query<{ items: object[] }>('audit.list', { action: 'cards.unpublish', limit: 100 })
    expect(cards.items).toMatchObject([{ action: 'cards.unpublish', endReason: 'policy', note: REASON.note }])
    await registry.operator.mutate('signingKeys.rotate', { use: 'log' })
    const { items } = await registry.operator.query<{ items: { kid: string; use: string }[] }>('signingKeys.list', {})
    await registry.operator.mutate('signingKeys.revoke', { kid: items.find(({ use }) => use === 'log')?.kid, ...REASON })
    const keys = await registry.operator.query<{ items: object[] }>('audit.list', { action: 'signingKeys.revoke', limit: 100 })
    expect(keys.items).toMatchObject([{ action: 'signingKeys.revoke', endReason: 'policy', note: REASON.note }])
  })

  test('a reason that is not in the list, and a note of 257 characters, are refused, and nothing ends', async () => {
    const { taskId } = await pair.planner.tasks.create({ description: 'x' })
    const faulty: readonly [object, string][] = [
      [{ reason: 'because' }, '/reason'],
      [{ note: 'x'.repeat(257) }, '/note'],
      [{ Reason: 'policy' }, ''],
    ]
    for (const [because, pointer] of faulty)
      await expect(pair.planner.mutate('tasks.end', { taskId, ...because })).rejects.toMatchObject({
        reason: 'bad_input',
        faults: [{ pointer }],
      })
    const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
    expect(await reasonOf(pair.planner.revoke(accessToken, { reason: 'because' as never }))).toBe('invalid_request')
    expect((await pair.planner.tasks.get(taskId)).state).toBe('active')
  })
})

test('another organisation sees when something ended, but not who ended it and why, unless it may read the audit row', async () => {
  const rights = [{ audience: pair.ocr.audience, scope: 'ocr:read' }]
  const own = await registry.agent({ registeredBy: pair.globex, ceiling: { rights } })
  const introductionId = await introduce(own, pair.ocr)
  const { taskId } = await own.tasks.create({ description: 'x' })
  const tokenId = idOf((await own.exchange({ audience: pair.ocr.audience, taskId })).accessToken)
  await own.tasks.end(taskId, REASON)
  await pair.globex.mutate('agents.suspend', { agentId: own.agentId, ...REASON })
  const endedAt = registry.clock.now()
  for (const [viewer, expected] of [
    [pair.acme, { endedAt }],
    [pair.ocr, { endedAt }],
    [pair.globex, { endedAt, endedBy: pair.globex.clientId, ...REASON }],
    [registry.operator, { endedAt, endedBy: pair.globex.clientId, ...REASON }],
  ] as const) {
    const view = await viewer.query<object>('introductions.get', { introductionId })
    const shown = Object.fromEntries(Object.entries(view).filter(([name]) => ['endedAt', 'endedBy', 'reason', 'note'].includes(name)))
    expect(shown).toEqual(expected)
  }
  const node = await nodeOf(pair.ocr, tokenId)
  expect(node).toMatchObject({ revoked: true, endedAt })
  expect(node).not.toHaveProperty('note')
})

test('what has expired cannot be ended any more, and makes no log entry', async () => {
  const { planner, ocr } = pair
  const { taskId } = await planner.tasks.create({ description: 'x', seconds: 60 })
  const tokenId = idOf((await planner.exchange({ audience: ocr.audience })).accessToken)
  const introductionId = await introduce(planner, ocr, ['ocr:read'], { seconds: 60 })
  registry.clock.advance(2000)
  const { trustLog } = registry.servers[0] ?? {}
  const before = parsePosition(trustLog?.position ?? ('' as Position)).seq
  expect(await reasonOf(planner.tasks.end(taskId))).toBe('already_ended')
  expect(await reasonOf(planner.introductions.revoke(introductionId))).toBe('already_revoked')
  await planner.mutate('tokens.revoke', { tokenId })
  expect((await planner.tasks.get(taskId)).state).toBe('expired')
  expect((await planner.introductions.get(introductionId)).state).toBe('expired')
  const types = (await trustLog?.entries(before + 1, 100))?.map(({ type }) => type)
  expect(types?.filter((type) => type !== 'audit.anchored')).toEqual([])
})

describe('after everything has expired and is forgotten', () => {
  test('a token that was revoked is shown as revoked, by what it depended on, and one that only expired is not', async () => {
    const { ocr, planner } = pair
    const task = async () => (await planner.tasks.create({ description: 'x' })).taskId
    const [ended, other] = [await task(), await task()]
    const tokenFor = async (taskId: string, more: object = {}) =>
      idOf((await planner.exchange({ audience: ocr.audience, taskId, ...more })).accessToken)
    const [revoked, expired] = [await tokenFor(ended), await tokenFor(other)]
    const at = registry.clock.now()
    await planner.tasks.end(ended, { reason: 'no_longer_needed' })
    forget()
    await planner.tasks.end(other)
    expect(await nodeOf(planner, revoked)).toMatchObject({
      revoked: true,
      endedAt: at,
      endedBy: planner.agentId,
      reason: 'no_longer_needed',
    })
    expect(await nodeOf(planner, expired)).toMatchObject({ revoked: false })
    expect(await nodeOf(planner, expired)).not.toHaveProperty('endedAt')
  })

  test('a task whose parent was ended is shown as ended, one that only passed its deadline as expired', async () => {
    const { planner } = pair
    const parent = await planner.tasks.create({ description: 'x', seconds: 600 })
    const child = await planner.tasks.create({ description: 'x', parentTaskId: parent.taskId, seconds: 600 })
    const late = await planner.tasks.create({ description: 'x', seconds: 600 })
    await planner.tasks.end(parent.taskId, { note: 'done' })
    forget()
    const states = async (id: string) => planner.tasks.get(id)
    for (const { taskId } of [parent, child])
      expect(await states(taskId)).toMatchObject({ state: 'ended', note: 'done', reason: 'unspecified' })
    expect((await states(late.taskId)).state).toBe('expired')
    expect(await states(late.taskId)).not.toHaveProperty('endedAt')
  })

  test('the lineage shows tools, resources and delegation', async () => {
    const { ocr } = pair
    const rights = [{ audience: ocr.audience, scope: 'ocr:read' }]
    const caller: AgentActor = await registry.agent({ registeredBy: pair.globex, ceiling: { rights, delegationDepth: 2 } })
    const bounds = { tools: ['scan'], resources: ['mail'], delegation: { depth: 1, rights } }
    await introduce(caller, ocr, ['ocr:read'], bounds)
    const { accessToken } = await caller.exchange({ audience: ocr.audience, ...bounds })
    expect(await nodeOf(caller, idOf(accessToken))).toMatchObject(bounds)
  })
})

test('every entry that a caller has made end something can be read by each handle', async () => {
  const entries: Entry[] = []
  for (let from = 0; ; from = entries.length) {
    const response = await registry.fetch(`/log/entries?from=${from}&limit=100`)
    const page = (await response.json()) as { entries: Entry[] }
    entries.push(...page.entries)
    if (page.entries.length === 0) break
  }
  const { endedHandles } = auditStore(registry.storage)
  // A publication that takes nothing away ends a handle that nothing depends on
  const ofCallers = entries.filter(({ type }) => !/^(card\.published|epoch\.|signing-key\.retired|key\.retired)/.test(type))
  const handles = ofCallers.flatMap(({ ends }) => ends.map(({ handle }) => handle))
  expect(handles.length).toBeGreaterThan(10)
  const missing: string[] = []
  for (const handle of new Set(handles))
    if ((await endedHandles.find('handles', { where: { handles: handle }, limit: 1 })).items.length === 0) missing.push(handle)
  expect(missing).toEqual([])
})
