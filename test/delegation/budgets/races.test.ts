// Eight requests at once, over a store that takes 0 to 5 ms for each operation; embedded and over MongoDB.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientClock } from '../../../src/lib/clock.js'
import { reasonOf } from '../../stories/actors.js'
import { AT_ONCE, atOnce } from '../../stories/at-once.js'
import { type BudgetSite, startSite } from './site.js'

let site: BudgetSite
/** Called after the record of a token was read. */
let afterRead: () => Promise<void> | undefined = () => undefined
/** Callers wait for each other until so many have come. */
function meeting(count: number): () => Promise<void> {
  let open = () => {}
  const met = new Promise<void>((resolve) => {
    open = resolve
  })
  let left = count
  return () => {
    if (--left === 0) open()
    return met
  }
}

beforeAll(async () => {
  site = await startSite()
  let turn = 0
  const slow = await site.registry.addServer(async (name, work) => {
    await clientClock.after(turn++ % 6)
    const result = await work()
    if (name === 'tokens.get') await afterRead()
    return result
  })
  site.registry.front.route([slow.port])
})
afterAll(() => site.registry[Symbol.asyncDispose]())

test('with a budget for three, three of eight requests succeed', async () => {
  const task_id = await site.aTask({ calls: 3 })
  const answers = await atOnce(() => site.request({ task_id, max_calls: 1 }))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(3)
  expect(new Set(answers.filter(({ status }) => status !== 200).map(({ error }) => error))).toEqual(new Set(['insufficient_budget']))
  expect(await site.budgetOf(task_id)).toMatchObject({ reserved: { calls: 3 } })
})

test('requests that name no number share what there is, and tasks of one parent take no more than the parent has', async () => {
  const parent = await site.aTask({ calls: 60 })
  const children = await Promise.all([0, 1, 2].map(() => site.aTask({ calls: 40 }, parent)))
  const answers = await atOnce((i) => site.request({ task_id: children[i % 3] }))
  expect(answers.reduce((sum, { maxCalls = 0 }) => sum + maxCalls, 0)).toBe(60)
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 400]))
})

test('one of eight settlements succeeds, and one revocation with it', async () => {
  const task_id = await site.aTask({ calls: 10 })
  const { tokenId } = await site.request({ task_id, max_calls: 10 })
  // All see a token that is not settled
  afterRead = meeting(AT_ONCE)
  const settling = atOnce((i) => reasonOf(site.settle(tokenId, i % 5)))
  const revoked = reasonOf(site.client.mutate('tokens.revoke', { tokenId }))
  expect((await settling).sort()).toEqual([...Array.from({ length: AT_ONCE - 1 }, () => 'conflict'), 'done'])
  expect(await revoked).toBe('done')
  const { reserved, used } = (await site.budgetOf(task_id)) ?? {}
  expect([reserved, (used?.calls ?? 99) < 5]).toEqual([{ calls: 0 }, true])
})
