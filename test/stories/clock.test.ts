// Somebody sets the clock of the registry's machine forth by an hour, back by two, and right again. Nothing that is dead returns, nothing breaks.
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
const times = async (): Promise<number[]> => {
  const { entries } = await (await registry.fetch('/log/entries?from=0&limit=1000')).json()
  return entries.map(({ time }: { time: number }) => time)
}

test('a clock that is set forth, back and right again revives nothing and breaks nothing', async () => {
  const { ocr, planner } = pair
  const early = (await planner.exchange({ audience: ocr.audience })).accessToken
  const ended = (await planner.exchange({ audience: ocr.audience })).accessToken
  await planner.revoke(ended)

  registry.clock.step(HOUR)
  expect(await isActive(early)).toBe(false)
  const later = (await planner.exchange({ audience: ocr.audience })).accessToken
  expect(await isActive(later)).toBe(true)
  const { taskId } = await planner.tasks.create({ description: 'in an hour', seconds: 600 })
  await planner.tasks.end(taskId)

  registry.clock.step(-2 * HOUR)
  // Log time does not fall: what has expired by it has expired.
  for (const token of [early, ended])
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
  for (const token of [early, ended]) expect(await isActive(token)).toBe(false)
  // It was issued a minute ago, whatever the clock said meanwhile.
  expect(await isActive(later)).toBe(true)
  expect(await reasonOf(registry.as(planner).exchange({ audience: ocr.audience }))).toBe('done')
  await registry.as(planner).tasks.create({ description: 'now' })
  const all = await times()
  expect(all).toEqual([...all].sort((a, b) => a - b))
  const feed = await registry.as(ocr).subscribe()
  // What the hours that have passed made due may come behind it
  expect(feed.at).toBeGreaterThanOrEqual(all.length - 1)
  feed.close()
})
