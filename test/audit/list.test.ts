import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AUDIT_ACTIONS } from '../../src/server/api/procedures.js'
import { type Actor, type Registry, startRegistry } from '../registry.js'

interface AuditPage {
  readonly items: readonly { readonly action: string; readonly subject?: string }[]
  readonly cursor?: string
}

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry({ servers: 1 })
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

const list = (input: object) => acme.query<AuditPage>('audit.list', input)

test('audit.list with an action finds the newest rows of that action behind newer rows of others, page by page', async () => {
  const ids: string[] = []
  for (const description of ['first', 'second', 'third']) {
    ids.unshift((await acme.tasks.create({ description })).taskId)
    registry.clock.advance(1)
  }
  for (let i = 0; i < 25; i++) await registry.registration({ registeredBy: acme })
  const first = await list({ action: 'tasks.create', limit: 2 })
  expect(first.items.map(({ subject }) => subject)).toEqual(ids.slice(0, 2))
  const second = await list({ action: 'tasks.create', limit: 2, cursor: first.cursor })
  expect([second.items.map(({ subject }) => subject), second.cursor]).toEqual([ids.slice(2), undefined])
})

test('an action that no audit row can have is refused', async () => {
  await expect(list({ action: 'cards.publsh' })).rejects.toMatchObject({
    reason: 'bad_input',
    faults: [{ pointer: '/action', hint: 'no such action' }],
  })
  expect((await list({ action: 'oauth.token' })).items.map(({ action }) => action)).toContain('oauth.token')
})

test('every filter finds its rows, several filters must all match, and pages are full', async () => {
  const globex = await registry.organisation('Globex')
  const find = async (input: object) => globex.query<AuditPage>('audit.list', { limit: 100, ...input })
  const agents = [await registry.agent({ registeredBy: globex }), await registry.agent({ registeredBy: globex })]
  registry.clock.advance(100)
  const from = registry.clock.now()
  const tasks: string[] = []
  for (let i = 0; i < 6; i++) for (const agent of agents) tasks.push((await agent.tasks.create({ description: 'x' })).taskId)
  const [one, two] = agents
  await expect(one?.tasks.end(tasks[1] ?? '')).rejects.toMatchObject({ reason: 'not_found' })
  registry.clock.advance(100)
  await one?.tasks.create({ description: 'later' })
  const all = (await find({})).items as unknown as Record<string, unknown>[]
  const expected: [object, (row: Record<string, unknown>) => boolean][] = [
    [{ actor: one?.agentId }, ({ actor }) => actor === one?.agentId],
    [{ subject: tasks[0] }, ({ subject }) => subject === tasks[0]],
    [{ tokenId: all[0]?.tokenId }, ({ tokenId }) => tokenId === all[0]?.tokenId],
    [{ outcome: 'refused' }, ({ outcome }) => outcome === 'refused'],
    [{ from, until: from + 100 }, ({ createdAt }) => Number(createdAt) >= from && Number(createdAt) < from + 100],
    [{ from: from + 100 }, ({ createdAt }) => Number(createdAt) >= from + 100],
    [{ actor: two?.agentId, action: 'tasks.create' }, ({ actor, action }) => actor === two?.agentId && action === 'tasks.create'],
    [
      { actor: one?.agentId, action: 'tasks.create', from: from + 100 },
      ({ createdAt, action }) => action === 'tasks.create' && Number(createdAt) >= from + 100,
    ],
  ]
  for (const [filter, matches] of expected) {
    const { items } = await find(filter)
    expect(items, JSON.stringify(filter)).toEqual(all.filter(matches))
    expect(items.length, JSON.stringify(filter)).toBeGreaterThan(0)
    const pages: number[] = []
    for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
      const page: AuditPage = await find({ ...filter, limit: 2, ...(cursor && { cursor }) })
      pages.push(page.items.length)
      cursor = page.cursor
    }
    expect([pages.reduce((sum, size) => sum + size), pages.slice(0, -1).every((size) => size === 2), pages.at(-1) !== 0]).toEqual([
      items.length,
      true,
      true,
    ])
  }
  expect((await find({ actor: acme.clientId })).items, 'the rows of another organisation').toEqual([])
})

test('the list of actions has every action that the code records', () => {
  const src = resolve(import.meta.dirname, '../../src')
  const recorded = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...readFileSync(join(src, file), 'utf8').matchAll(/(?:action: |[aA]uditDraft(?:Of)?\([^')]*)'(\w+\.\w+)'/g)])
    .flatMap(([, action = '']) => action)
  expect(recorded.length).toBeGreaterThan(25)
  expect(recorded.filter((action) => !AUDIT_ACTIONS.has(action))).toEqual([])
})
