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

test('the list of actions has every action that the code records', () => {
  const src = resolve(import.meta.dirname, '../../src')
  const recorded = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...readFileSync(join(src, file), 'utf8').matchAll(/(?:action: |[aA]uditDraft(?:Of)?\([^')]*)'(\w+\.\w+)'/g)])
    .flatMap(([, action = '']) => action)
  expect(recorded.length).toBeGreaterThan(25)
  expect(recorded.filter((action) => !AUDIT_ACTIONS.has(action))).toEqual([])
})
