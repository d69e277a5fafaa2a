// The clock of the registry's machine is set forward by an hour, back by two hours, and corrected.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Registry, startRegistry } from '../registry.js'
import { aPair, type Pair, reasonOf } from './actors.js'

const HOUR = 3600
let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

const isActive = async (token: string): Promise<boolean> => (await pair.ocr.introspect(token)).active === true
const entryTimes = async (): Promise<number[]> => {
  const { entries } = await (await registry.fetch('/log/entries?from=0&limit=1000')).json()
  return entries.map(({ time }: { time: number }) => time)
}

test('after the clock was set forward, back and corrected, no revoked token is valid again and all endpoints work', async () => {
  const { ocr, planner } = pair
  const early = (await planner.exchange({ audience: ocr.audience })).accessToken
  const revoked = (await planner.exchange({ audience: ocr.audience })).accessToken
  await planner.revoke(revoked)

  registry.clock.step(HOUR)
  expect(await isActive(early)).toBe(false)
  const later = (await planner.exchange({ audience: ocr.audience })).accessToken
  expect(await isActive(later)).toBe(true)
  const { taskId } = await planner.tasks.create({ description: 'in an hour', seconds: 600 })
  await planner.tasks.end(taskId)

  registry.clock.step(-2 * HOUR)
  // Log time does not fall, so a token that has expired by log time stays expired
  for (const token of [early, revoked])
    expect([false, 'invalid_client']).toContain(await isActive(token).catch(({ reason }: { reason: string }) => reason))
  const outcomes = await Promise.all([
    reasonOf(planner.tasks.create({ description: 'two hours ago' })),
    reasonOf(planner.exchange({ audience: ocr.audience })),
    reasonOf(registry.as(planner).token()),
    reasonOf(planner.tasks.end(taskId)),
  ])
  for (const outcome of outcomes)
    expect(['done', 'invalid_client', 'invalid_token', 'invalid_request', 'bad_input', 'already_ended']).toContain(outcome)
  expect((await registry.fetch('/trpc/system.info')).status).toBe(200)
  expect((await registry.fetch('/log/checkpoint')).status).toBe(200)

  registry.clock.step(HOUR)
  registry.clock.advance(HOUR + 60)
  for (const token of [early, revoked]) expect(await isActive(token)).toBe(false)
  // Issued a minute ago, since all steps of the clock cancel out
  expect(await isActive(later)).toBe(true)
  expect(await reasonOf(registry.as(planner).exchange({ audience: ocr.audience }))).toBe('done')
  await registry.as(planner).tasks.create({ description: 'now' })
  const all = await entryTimes()
  expect(all).toEqual([...all].sort((a, b) => a - b))
  const feed = await registry.as(ocr).subscribe()
  // Maintenance that became due in these hours may have appended further entries
  expect(feed.seq).toBeGreaterThanOrEqual(all.length - 1)
  feed.close()
})
