// Filters of the list of tasks.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { aPair, type Pair, reasonOf } from '../../stories/actors.js'

interface Listed {
  readonly items: readonly { readonly taskId: string; readonly state: string }[]
  readonly cursor?: string
}

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry({ servers: 1 })
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

const create = async (actor: Actor, more: object = {}) =>
  (await actor.mutate<{ taskId: string }>('tasks.create', { description: 'x', deadline: registry.clock.now() + 7200, ...more })).taskId
const list = (actor: Actor, input: object) => actor.query<Listed>('tasks.list', input)
const idsOf = async (actor: Actor, input: object) => (await list(actor, input)).items.map(({ taskId }) => taskId)

test('a filter by state finds the one task that ended, also behind pages of others', async () => {
  const { planner } = pair
  const ended = await create(planner)
  const paused = await create(planner)
  const short = await create(planner, { deadline: registry.clock.now() + 60 })
  await planner.mutate('tasks.end', { taskId: ended })
  await planner.mutate('tasks.pause', { taskId: paused })
  registry.clock.advance(61)
  const active: string[] = []
  for (let i = 0; i < 5; i++) active.push(await create(planner))
  expect(await idsOf(planner, { state: 'ended', limit: 2 })).toEqual([ended])
  expect(await idsOf(planner, { state: 'paused', limit: 2 })).toEqual([paused])
  expect(await idsOf(planner, { state: 'expired', limit: 2 })).toEqual([short])
  expect((await idsOf(planner, { state: 'active' })).sort()).toEqual(active.sort())
})

test('the tasks under a task are listed to whoever may read it, without those of another organisation', async () => {
  const { planner, ocr, acme, globex } = pair
  const parent = await create(planner)
  const child = await create(planner, { parentTaskId: parent })
  const grandchild = await create(planner, { parentTaskId: child })
  // The called agent of another organisation may create child tasks, too
  await planner.exchange({ audience: ocr.audience, taskId: parent })
  const foreign = await create(ocr, { parentTaskId: parent })
  for (const actor of [planner, globex]) expect((await idsOf(actor, { under: parent })).sort()).toEqual([child, grandchild].sort())
  expect((await idsOf(registry.operator, { under: parent })).sort()).toEqual([child, grandchild, foreign].sort())
  for (const actor of [ocr, acme]) expect(await reasonOf(list(actor, { under: parent }))).toBe('not_found')
})

test('a cursor names no task of another organisation, and is for this caller and this filter', async () => {
  const { planner, ocr, globex } = pair
  const parent = await create(planner)
  await planner.exchange({ audience: ocr.audience, taskId: parent })
  const older = await create(planner, { parentTaskId: parent })
  registry.clock.advance(1)
  const foreign = await create(ocr, { parentTaskId: parent })
  registry.clock.advance(1)
  const newer = await create(planner, { parentTaskId: parent })
  const { items, cursor = '' } = await list(planner, { under: parent, limit: 2 })
  expect(items.map(({ taskId }) => taskId)).toEqual([newer])
  expect(Buffer.from(cursor, 'base64url').toString('latin1')).not.toContain(foreign)
  expect(await idsOf(planner, { under: parent, limit: 2, cursor })).toEqual([older])
  const forged = Buffer.from(JSON.stringify([registry.clock.now(), foreign])).toString('base64url')
  for (const [actor, input] of [
    [planner, { under: parent, cursor: forged }],
    [globex, { under: parent, cursor }],
    [planner, { cursor }],
  ] as const)
    expect(await reasonOf(list(actor, { limit: 2, ...input }))).toBe('bad_cursor')
})
