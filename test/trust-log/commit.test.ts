// A write and its log entry are one commit: whatever fails or crashes, the record exists if and only if its entry is in the log.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Handle } from '../../src/protocol/handles.js'
import type { Storage } from '../../src/storage/storage.js'
import type { ServedTrustLog } from '../../src/trust-log/trust-log.js'
import type { Gate } from './gated-storage.js'
import { aHandle, end, type Logs, openLogs } from './open-logs.js'

const Thing = z.strictObject({ id: z.string().max(64), handle: Handle, ver: Handle, body: z.string().max(64) })
type Thing = z.infer<typeof Thing>
const thingsIn = (storage: Storage) => storage.collection<Thing>({ name: 'things', schema: Thing, key: 'id', indexes: {} })

const aThing = (more: Partial<Thing> = {}): Thing => ({ id: 'thing', handle: aHandle('agt'), ver: aHandle('ver'), body: 'one', ...more })
const create = (logs: Logs, log: ServedTrustLog, thing: Thing, dependsOn: readonly Handle[] = []) =>
  log.commit({ type: 'agent.registered', dependsOn, operations: [thingsIn(logs.storage).inserting(thing)] })
const change = (logs: Logs, log: ServedTrustLog, thing: Thing, body: string) =>
  log.commit({
    type: 'record.changed',
    ends: [{ handle: thing.ver }],
    dependsOn: [thing.handle, thing.ver],
    operations: [thingsIn(logs.storage).changing(thing.id, { ver: thing.ver }, { body, ver: aHandle('ver') })],
  })
const stored = (logs: Logs, id = 'thing') => thingsIn(logs.storage).get(id)
const entriesOf = async (logs: Logs) => (await logs.storage.log.read(0, 1000)).flatMap(({ entries }) => entries)
const turns = async () => {
  for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve))
}

test('a record is there with its entry, at once and for every instance', async () => {
  await using logs = await openLogs()
  const [log, other] = [await logs.open(), await logs.open()]
  const thing = aThing()
  expect(await create(logs, log, thing)).toMatchObject({ outcome: 'committed', entry: { seq: 1, type: 'agent.registered' } })
  expect(await stored(logs)).toEqual(thing)
  expect((await other.readBarrier()).seq).toBe(1)
})

test('a write whose dependency has ended leaves neither record nor entry', async () => {
  await using logs = await openLogs()
  const [log, other] = [await logs.open(), await logs.open()]
  const organisation = aHandle('org')
  await end(other, organisation)
  expect(await create(logs, log, aThing(), [organisation])).toEqual({ outcome: 'dependencyEnded' })
  expect(await stored(logs)).toBeUndefined()
  expect(await entriesOf(logs)).toHaveLength(2)
})

test('an operation that cannot be done is named, and leaves neither record nor entry', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  const things = thingsIn(logs.storage)
  await create(logs, log, aThing())
  const operations = [things.inserting(aThing({ id: 'other' })), things.inserting(aThing())]
  expect(await log.commit({ type: 'agent.registered', dependsOn: [], operations })).toEqual({ outcome: 'conflict', failed: 1 })
  expect(await stored(logs, 'other')).toBeUndefined()
  expect(await entriesOf(logs)).toHaveLength(2)
})

test('a document that does not match its schema fails its own write, and no other of the block', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  const bad = create(logs, log, aThing({ id: 'bad', body: 'x'.repeat(65) }))
  const good = create(logs, log, aThing())
  await expect(bad).rejects.toThrow('does not match its schema')
  expect((await good).outcome).toBe('committed')
  expect(await stored(logs, 'bad')).toBeUndefined()
  expect(await entriesOf(logs)).toHaveLength(2)
})

test('of twenty changes of one version at the same time, by two instances, one succeeds', async () => {
  await using logs = await openLogs()
  const [log, other] = [await logs.open(), await logs.open()]
  const thing = aThing()
  await create(logs, log, thing)
  const results = await Promise.all(Array.from({ length: 20 }, (_, i) => change(logs, i % 2 ? log : other, thing, `${i}`)))
  const succeeded = results.flatMap(({ outcome }, i) => (outcome === 'committed' ? [`${i}`] : []))
  expect(succeeded).toHaveLength(1)
  expect((await stored(logs))?.body).toBe(succeeded[0])
  expect(await entriesOf(logs)).toHaveLength(3)
})

test('writes to one record that wait together are committed in their order, each on its own', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  const things = thingsIn(logs.storage)
  const thing = aThing()
  await create(logs, log, thing)
  const step = (from: string, to: string) =>
    log.commit({ type: 'record.changed', dependsOn: [], operations: [things.changing('thing', { body: from }, { body: to })] })
  const results = await Promise.all([step('one', 'two'), step('two', 'three'), step('two', 'four')])
  expect(results.map(({ outcome }) => outcome)).toEqual(['committed', 'committed', 'conflict'])
  expect((await stored(logs))?.body).toBe('three')
})

test('a revocation whose operation cannot be done ends nothing', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  const handle = aHandle()
  const operations = [thingsIn(logs.storage).changing('thing', {}, { body: 'two' })]
  await expect(log.end({ type: 'token.revoked', ends: [{ handle }], operations })).rejects.toMatchObject({
    reason: 'conflict',
    message: expect.stringContaining('changed while'),
  })
  expect(log.ended.has(handle)).toBe(false)
})

/** Crashes at the first operation of this name, before or after it takes effect. From then on no operation returns. */
function crashAt(name: string, moment: 'before' | 'after') {
  let hasCrashed = false
  let isArmed = false
  const forever = <T>() => new Promise<T>(() => {})
  const gate: Gate = async (operation, work) => {
    if (hasCrashed) return forever()
    if (!isArmed || operation !== name) return work()
    hasCrashed = true
    if (moment === 'after') await work()
    return forever()
  }
  const arm = () => {
    isArmed = true
  }
  return { gate, arm }
}

test.each([
  ['before', undefined, false],
  ['after', 'one', true],
] as const)('a writer that crashes %s its commit leaves both record and entry, or none: %s', async (moment, body, isInLog) => {
  await using logs = await openLogs()
  const log = await logs.open()
  const { gate, arm } = crashAt('log.append', moment)
  const crashing = await logs.open({ gate, crashes: true })
  arm()
  void create(logs, crashing, aThing())
  await turns()
  await log.readBarrier()
  expect((await stored(logs))?.body).toBe(body)
  expect((await entriesOf(logs)).some(({ type }) => type === 'agent.registered')).toBe(isInLog)
  // Nothing is left to complete: the next write goes on.
  expect((await create(logs, log, aThing({ id: 'next' }))).outcome).toBe('committed')
})

test('a write that another instance overtook is checked again: its dependency ended in the block that took its number', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  const organisation = aHandle('org')
  let isFirst = true
  const slow = await logs.open({
    gate: async (name, work) => {
      if (name === 'log.append' && isFirst) {
        isFirst = false
        await end(log, organisation)
      }
      return work()
    },
  })
  expect(await create(logs, slow, aThing(), [organisation])).toEqual({ outcome: 'dependencyEnded' })
  expect(await stored(logs)).toBeUndefined()
})
