import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CredenceError } from '../../../src/client/index.js'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../../registry.js'
import { aPublishedAgent, introduce, reasonOf } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
let globex: Actor
let ofAcme: AgentActor
let ofGlobex: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  ;[acme, globex] = [await registry.organisation('Acme'), await registry.organisation('Globex')]
  ofAcme = await aPublishedAgent(registry, { registeredBy: acme })
  ofGlobex = await aPublishedAgent(registry, { registeredBy: globex })
})
afterAll(() => registry[Symbol.asyncDispose]())

const anAgent = (rights: object[]) => registry.agent({ registeredBy: globex, ceiling: { rights, delegationDepth: 2 } })
const change = (actor: Actor, agentId: string, input: object) => actor.mutate('agents.change', { agentId, ...input })
const any = (scope: string) => ({ audience: { anyAgent: true }, scope })
const of = ({ orgId }: Actor, scope: string) => ({ audience: { organisation: orgId }, scope })
const calls = async (from: AgentActor, to: AgentActor, scope = 'ocr:read') => {
  const introduced = await reasonOf(introduce(from, to, [scope]))
  return introduced === 'done' ? reasonOf(from.exchange({ audience: to.audience, scope })) : introduced
}

test('a ceiling for any agent lets an agent call one that was registered later, for its scopes only', async () => {
  const caller = await anAgent([any('ocr:read')])
  const later = await aPublishedAgent(registry, { registeredBy: acme })
  expect(await calls(caller, later)).toBe('done')
  expect(await calls(caller, ofGlobex)).toBe('done')
  expect(await calls(caller, later, 'ocr:admin')).toBe('invalid_scope')
})

test('a ceiling for an organisation lets an agent call its agents, and no others', async () => {
  const caller = await anAgent([of(acme, 'ocr:read')])
  expect(await calls(caller, ofAcme)).toBe('done')
  expect(await calls(caller, ofGlobex)).toBe('invalid_scope')
})

test('a delegation right may be within a pattern, and not beyond it', async () => {
  const caller = await anAgent([any('ocr:read'), of(acme, 'ocr:admin')])
  const delegation = (to: AgentActor, scope: string) => ({ depth: 1, rights: [{ audience: to.audience, scope }] })
  const [within, beyond] = [delegation(ofGlobex, 'ocr:read'), delegation(ofGlobex, 'ocr:admin')]
  await introduce(caller, ofAcme, ['ocr:read'], { delegation: within })
  const exchange = (wish: object) => reasonOf(caller.exchange({ audience: ofAcme.audience, scope: 'ocr:read', delegation: wish as never }))
  expect([await exchange(within), await exchange(beyond)]).toEqual(['done', 'invalid_scope'])
  expect(await reasonOf(introduce(caller, ofAcme, ['ocr:read'], { delegation: beyond }))).toBe('invalid_scope')
})

test('the pattern of a child is bounded by its parent, and that of a parent by its child', async () => {
  const parent = await registry.agent({
    registeredBy: globex,
    ceiling: {
      scopes: ['agents:write', 'introductions:write', 'discovery:read', 'tokens:exchange'],
      rights: [of(acme, 'ocr:read'), { audience: ofGlobex.audience, scope: 'ocr:admin' }],
    },
  })
  const child = await registry.agent({ registeredBy: parent, ceiling: { rights: [any('ocr:read'), of(globex, 'ocr:admin')] } })
  expect(await calls(child, ofAcme)).toBe('done')
  expect(await calls(child, ofGlobex)).toBe('invalid_scope')
  expect(await calls(child, ofGlobex, 'ocr:admin')).toBe('done')
})

test('the refusal of a request beyond the ceiling names the command that adds the right, and that right is enough', async () => {
  const caller = await anAgent([])
  const refusal = await caller.introductions.request({ to: ofAcme.agentId, purpose: 'x', scopes: ['ocr:read'] }).then(
    () => undefined,
    (error: CredenceError) => error,
  )
  const command = `credence agent change ${caller.agentId} --add-call ${ofAcme.audience}=ocr:read`
  expect(JSON.stringify(refusal?.faults)).toContain(command)
  await change(globex, caller.agentId, { addRights: [{ audience: ofAcme.audience, scope: 'ocr:read' }] })
  expect(await calls(caller, ofAcme)).toBe('done')
  // Tokens under the old version of the ceiling end with it
  const { accessToken } = await caller.exchange({ audience: ofAcme.audience })
  await change(globex, caller.agentId, { removeRights: [{ audience: ofAcme.audience, scope: 'ocr:read' }] })
  expect(await ofAcme.introspect(accessToken)).toEqual({ active: false })
  expect(await reasonOf(caller.exchange({ audience: ofAcme.audience }))).toBe('invalid_scope')
})

test('adding and removing rights keeps the rest of the ceiling, and what cannot be done is refused', async () => {
  const caller = await anAgent([any('ocr:read')])
  const ceiling = async () => (await globex.query<{ ceiling: { rights: object[] } }>('agents.get', { agentId: caller.agentId })).ceiling
  const before = await ceiling()
  await change(globex, caller.agentId, { addRights: [of(acme, 'ocr:admin')], removeRights: [any('ocr:read')] })
  const after = await ceiling()
  expect(after).toEqual({ ...before, rights: [...before.rights.slice(0, -1), of(acme, 'ocr:admin')] })
  const refused: [Actor, object][] = [
    [globex, { removeRights: [any('ocr:read')] }],
    [globex, { addRights: [any('x')], ceiling: {} }],
    [globex, { addRights: [{ audience: 'ftp://api.example', scope: 'x' }] }],
    [globex, { addRights: [{ audience: registry.issuer, scope: 'admin' }] }],
    [globex, { addRights: [{ audience: { anyAgent: false }, scope: 'x' }] }],
    [globex, { addRights: [{ audience: { anyAgent: true, organisation: acme.orgId }, scope: 'x' }] }],
    [globex, { addRights: [{ audience: { tag: 'ocr' }, scope: 'x' }] }],
    [globex, { addRights: Array.from({ length: 64 }, (_, i) => any(`scope-${i}`)) }],
  ]
  for (const [actor, input] of refused)
    expect(await reasonOf(change(actor, caller.agentId, input)), JSON.stringify(input)).toBe('bad_input')
  expect(await ceiling()).toEqual(after)
})

test('a member narrows a ceiling, and only an administrator widens it', async () => {
  const { code } = await globex.mutate<{ code: string }>('members.invite', { orgId: globex.orgId, role: 'member' })
  const member = await registry.join(code, 'Mia')
  const { agentId } = await anAgent([any('ocr')])
  const rows: [object, string][] = [
    [{ addRights: [of(acme, 'ocr/page')] }, 'done'],
    [{ addRights: [{ audience: ofAcme.audience, scope: 'ocr/page' }] }, 'done'],
    [{ addRights: [of(acme, 'other')] }, 'forbidden'],
    [{ removeRights: [any('ocr')] }, 'done'],
    [{ addRights: [any('ocr/page')] }, 'forbidden'],
    [{ addRights: [of(globex, 'ocr/page')] }, 'forbidden'],
    [{ ceiling: { delegationDepth: 3 } }, 'forbidden'],
    [{ ceiling: { tokenSeconds: 60, tools: ['scan'] } }, 'done'],
    [{ ceiling: { tokenSeconds: 60 } }, 'forbidden'],
    [{ ceiling: { tokenSeconds: 61, tools: ['scan'] } }, 'forbidden'],
    [{ ceiling: { tokenSeconds: 60, tools: ['scan/fast'], resources: [] } }, 'done'],
  ]
  for (const [input, expected] of rows) expect(await reasonOf(change(member, agentId, input)), JSON.stringify(input)).toBe(expected)
  expect(await reasonOf(change(globex, agentId, { ceiling: { rights: [any('ocr')] } }))).toBe('done')
})

test('the audit row of a change says which fields and rights were changed, and why', async () => {
  const agent = await anAgent([of(acme, 'ocr:read')])
  const note = 'moved to the archive'
  await change(globex, agent.agentId, { addRights: [any('ocr:admin')], removeRights: [of(acme, 'ocr:read')], note })
  registry.clock.advance(1)
  await change(globex, agent.agentId, { name: 'archivist', note: 'a better name' })
  const filter = { subject: agent.agentId, action: 'agents.change' }
  const { items } = await globex.query<{ items: object[] }>('audit.list', filter)
  expect(items).toMatchObject([
    { actor: globex.clientId, note: 'a better name', facts: { changed: 'name' } },
    { note, facts: { changed: 'ceiling', added: 'ocr:admin at any agent', removed: `ocr:read at ${acme.orgId}` } },
  ])
})

test('a long change is not cut in silence: its audit row says how many rights and names were changed, and which, as far as they fit', async () => {
  const rights = Array.from({ length: 40 }, (_, i) => any(`ocr:scope-number-${i}`))
  const agent = await anAgent([any('ocr:read')])
  const tools = Array.from({ length: 60 }, (_, i) => `tool-number-${i}`)
  const latest = async (ceiling: object) => {
    registry.clock.advance(1)
    await change(globex, agent.agentId, { ceiling: { delegationDepth: 2, ...ceiling } })
    const { items } = await globex.query<{ items: { subject?: string; facts: Record<string, string> }[] }>('audit.list', {
      action: 'agents.change',
    })
    return items.find(({ subject }) => subject === agent.agentId)?.facts ?? {}
  }
  const widened = await latest({ rights, tools })
  expect(widened.added).toMatch(/^40 in all: ocr:scope-number-0 at any agent, .* … and \d+ more$/)
  expect(widened.removed).toBe('ocr:read at any agent')
  expect(widened.tools).toMatch(/^any → 60 names; added: 60 in all: tool-number-0 .* … and \d+ more$/)
  // What changed is at the end of the list
  expect((await latest({ rights, tools: [...tools, 'delete-all'] })).tools).toBe('60 names → 61 names; added: delete-all')
  const long = `ocr:${'x'.repeat(120)}`
  const { added = '' } = await latest({ rights: [...rights, ...['a', 'b', 'c', 'd'].map((end) => any(`${long}${end}`))], tools })
  expect(added).toMatch(/^4 in all: ocr:x+a at any agent, .* … and 1 more$/)
  expect(added.length).toBeLessThanOrEqual(512)
})
