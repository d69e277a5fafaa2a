// This build shares a store with a newer build, and reads entries and records of kinds that it does not know.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Feed, fetchRegistryKeys, verifyWholeLog } from '../../src/client/index.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { Handle } from '../../src/protocol/handles.js'
import { newId } from '../../src/protocol/ids.js'
import type { Entry, Proposal } from '../../src/protocol/log/entry.js'
import { frontierTexts } from '../../src/protocol/log/merkle.js'
import { newAppliedLog } from '../../src/trust-log/apply.js'
import { appendBlock } from '../../src/trust-log/block.js'
import { frontierAfter } from '../../src/trust-log/proofs/leaf.js'
import { type Registry, startRegistry } from '../registry.js'
import { aPair, type Pair, reasonOf } from './actors.js'

let registry: Registry
let pair: Pair
let feed: Feed
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
  feed = await pair.ocr.subscribe()
})
afterAll(async () => {
  feed.close()
  await registry[Symbol.asyncDispose]()
})

const aToken = async () => (await pair.planner.exchange({ audience: pair.ocr.audience })).accessToken
const handleOf = (token: string): Handle =>
  Handle.parse(JSON.parse(String(Buffer.from(token.split('.')[1] ?? '', 'base64url'))).jti.replace('tok_', 'tok:'))
const aZone = (): Handle => Handle.parse(`zone:${systemRandom.token(16)}`)
/** An entry of a type, and with members, that only a newer build knows. */
const anEntry = (ends: readonly Handle[]): Proposal => {
  const entry: object = { weather: 'fine', ends: ends.map((handle) => ({ handle, weather: 'fine' })) }
  return { id: newId(systemRandom, 'ent'), type: 'zone.closed', ends: [], ...entry }
}
/** Two requests, which the two servers of the registry answer in turn. */
const isActive = async (token: string) => [await pair.ocr.introspect(token), await pair.ocr.introspect(token)].map(({ active }) => active)

async function append(proposal: Proposal): Promise<void> {
  const { log } = registry.storage
  const head = await log.head()
  if (head === undefined) throw new Error('there is no log')
  const applied = newAppliedLog({ port: log, log: silentLog })
  await applied.readTo(head)
  const entries: Entry[] = [{ ...proposal, seq: applied.seq + 1, time: Math.max(applied.time, registry.clock.now()) }]
  const frontier = frontierAfter(applied.frontier, entries)
  const header = { n: head.n + 1, epoch: head.epoch, first: applied.seq + 1, writer: 'newer' }
  const block = { ...header, entries, frontier: frontierTexts(frontier), size: frontier.size }
  expect(await appendBlock(log, block)).toEqual([{ ok: true }])
}

test('an entry of an unknown type ends its handles on every server and in the feed', async () => {
  const token = await aToken()
  const zone = aZone()
  expect(await isActive(token)).toEqual([true, true])
  await append(anEntry([handleOf(token), zone]))
  expect(await isActive(token)).toEqual([false, false])
  await feed.sync()
  expect([handleOf(token), zone].map((handle) => feed.ended.has(handle))).toEqual([true, true])
  // Other tokens are still issued, and the log continues after the entry.
  expect(await reasonOf(aToken())).toBe('done')
  const { taskId } = await pair.planner.tasks.create({ description: 'x' })
  await pair.planner.tasks.end(taskId)
  const keys = await fetchRegistryKeys(registry.issuer, 'log')
  expect((await verifyWholeLog({ issuer: registry.issuer, keys })).entries).toBeGreaterThan(0)
})
