import { expect, test } from 'vitest'
import { z } from 'zod'
import { silentLog } from '../../../src/lib/log.js'
import { Handle } from '../../../src/protocol/handles.js'
import { EntryId } from '../../../src/protocol/ids.js'
import type { Storage } from '../../../src/storage/storage.js'
import { halvesIn } from '../../../src/trust-log/records/pending-store.js'
import type { HalfKind, ServedTrustLog } from '../../../src/trust-log/trust-log.js'
import type { Gate } from '../gated-storage.js'
import { aHandle, anEntryId, end, type Logs, openLogs } from '../open-logs.js'

const Thing = z.strictObject({
  id: z.string().max(64),
  handle: Handle,
  ver: Handle,
  body: z.string().max(64),
  hidden: EntryId.optional(),
  nextEntry: EntryId.optional(),
  next: z.strictObject({ ver: Handle, body: z.string().max(64) }).optional(),
})
type Thing = z.infer<typeof Thing>
const thingsIn = (storage: Storage) => storage.collection<Thing>({ name: 'things', schema: Thing, key: 'id', indexes: {} })

function completing(storage: Storage): HalfKind {
  const things = thingsIn(storage)
  return {
    reveal: async (key, id) => {
      const thing = await things.get(key)
      if (thing?.hidden === id) return [things.changing(key, { hidden: id }, { hidden: undefined })]
      return thing?.nextEntry === id && thing.next
        ? [things.changing(key, { nextEntry: id }, { ...thing.next, next: undefined, nextEntry: undefined })]
        : []
    },
    drop: async (key, id) => {
      const thing = await things.get(key)
      if (thing?.hidden === id) return [things.taking(key, { hidden: id })]
      return thing?.nextEntry === id ? [things.changing(key, { nextEntry: id }, { next: undefined, nextEntry: undefined })] : []
    },
  }
}

async function openThings(logs: Logs, gate?: Gate): Promise<ServedTrustLog> {
  return logs.open({ halves: completing(logs.storage), ...(gate && { gate }) })
}

const create = (logs: Logs, log: ServedTrustLog, thing: Thing, dependsOn: readonly Handle[] = []) => {
  const id = anEntryId()
  return log.begin({
    kind: 'nothing',
    key: thing.id,
    id,
    type: 'card.published',
    begins: [thing.handle, thing.ver],
    dependsOn,
    hidden: [thingsIn(logs.storage).inserting({ ...thing, hidden: id })],
  })
}
const change = (logs: Logs, log: ServedTrustLog, thing: Thing, body: string) => {
  const id = anEntryId()
  const next = { ver: aHandle('ver'), body }
  const hidden = [thingsIn(logs.storage).changing(thing.id, { ver: thing.ver, nextEntry: null }, { nextEntry: id, next })]
  return log.begin({
    kind: 'nothing',
    key: thing.id,
    id,
    type: 'record.changed',
    begins: [next.ver],
    ends: [{ handle: thing.ver }],
    dependsOn: [thing.handle],
    hidden,
  })
}
const aThing = (): Thing => ({ id: 'thing', handle: aHandle('agt'), ver: aHandle('ver'), body: 'one' })
const stored = (logs: Logs) => thingsIn(logs.storage).get('thing')
const openHalves = async (logs: Logs) => (await halvesIn(logs.storage).find('age', { where: {}, limit: 100 })).items.length

/** Crashes at the n-th operation of this name, before or after it takes effect. From then on no operation returns. */
function crashAt(name: string, n: number, moment: 'before' | 'after') {
  let left = n
  let hasCrashed = false
  let isArmed = false
  const forever = <T>() => new Promise<T>(() => {})
  const gate: Gate = async (operation, work) => {
    if (hasCrashed) return forever()
    if (!isArmed || operation !== name || --left > 0) return work()
    hasCrashed = true
    if (moment === 'after') await work()
    return forever()
  }
  return {
    gate,
    arm: () => {
      isArmed = true
    },
  }
}
const turns = async () => {
  for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve))
}

test('a completed beginning is revealed, is in the log and leaves no half', async () => {
  await using logs = await openLogs()
  const log = await openThings(logs)
  const thing = aThing()
  expect(await create(logs, log, thing)).toMatchObject({ outcome: 'begun', entry: { seq: 1, begins: [thing.handle, thing.ver] } })
  expect(await stored(logs)).toEqual(thing)
  expect(await openHalves(logs)).toBe(0)
})

test('a beginning whose dependency has ended is dropped', async () => {
  await using logs = await openLogs()
  const log = await openThings(logs)
  const organisation = aHandle('org')
  await end(log, organisation)
  expect(await create(logs, log, aThing(), [organisation])).toEqual({ outcome: 'refused' })
  expect(await stored(logs)).toBeUndefined()
  expect(await openHalves(logs)).toBe(0)
})

test('a hidden commit that fails writes nothing, and names the operation that failed', async () => {
  await using logs = await openLogs()
  const log = await openThings(logs)
  await create(logs, log, aThing())
  expect(await create(logs, log, aThing())).toEqual({ outcome: 'failed', failed: 0 })
  expect(await openHalves(logs)).toBe(0)
  expect((await log.readBarrier()).seq).toBe(1)
})

const crashes = [
  ['commit', 1, 'before', 'gone'],
  ['commit', 1, 'after', 'gone'],
  ['log.append', 1, 'before', 'gone'],
  ['log.append', 1, 'after', 'there'],
  ['commit', 2, 'before', 'there'],
  ['commit', 2, 'after', 'there'],
] as const

test.each(crashes)('a beginning whose writer crashes at %s %i (%s) is %s when an instance starts', async (name, n, moment, outcome) => {
  await using logs = await openLogs()
  await openThings(logs)
  const { gate, arm } = crashAt(name, n, moment)
  const crashing = await openCrashing(logs, gate)
  arm()
  const thing = aThing()
  void create(logs, crashing, thing)
  await turns()
  await openThings(logs)
  expect(await stored(logs)).toEqual(outcome === 'there' ? thing : undefined)
  expect(await openHalves(logs)).toBe(0)
})

test.each(crashes)('a change whose writer crashes at %s %i (%s) is %s by the next reader', async (name, n, moment, outcome) => {
  await using logs = await openLogs()
  const log = await openThings(logs)
  const thing = aThing()
  await create(logs, log, thing)
  const { gate, arm } = crashAt(name, n, moment)
  const crashing = await openCrashing(logs, gate)
  arm()
  void change(logs, crashing, thing, 'two')
  await turns()
  await log.settle('nothing', 'thing')
  const after = await stored(logs)
  expect(after?.body).toBe(outcome === 'there' ? 'two' : 'one')
  expect(after?.nextEntry).toBeUndefined()
  expect(log.ended.has(thing.ver)).toBe(outcome === 'there')
  expect(log.ended.has(after?.ver ?? thing.ver)).toBe(false)
  expect(await openHalves(logs)).toBe(0)
})

test.each([
  ['commit', 1, 'before', false],
  ['commit', 1, 'after', true],
  ['log.append', 1, 'before', true],
  ['log.append', 1, 'after', true],
  ['halves.take', 1, 'before', true],
] as const)('an ending whose writer crashes at %s %i (%s) is completed by the timer: %s', async (name, n, moment, isCompleted) => {
  await using logs = await openLogs()
  const log = await openThings(logs)
  const { gate, arm } = crashAt(name, n, moment)
  const crashing = await openCrashing(logs, gate)
  arm()
  const handle = aHandle('agt')
  void end(crashing, handle)
  await turns()
  logs.clock.advance(31)
  await turns()
  await log.readBarrier()
  expect(log.ended.has(handle)).toBe(isCompleted)
  expect(await openHalves(logs)).toBe(0)
})

test('a slow writer whose half was given up in the meantime begins nothing', async () => {
  await using logs = await openLogs()
  const log = await openThings(logs)
  let go = () => {}
  let isDelayed = true
  const slow = await openThings(logs, async (name, work) => {
    if (name === 'log.append' && isDelayed) {
      isDelayed = false
      await new Promise<void>((resolve) => {
        go = resolve
      })
    }
    return work()
  })
  const thing = aThing()
  const beginning = create(logs, slow, thing)
  await turns()
  await log.settle('nothing', 'thing')
  expect(await stored(logs)).toBeUndefined()
  go()
  expect(await beginning).toEqual({ outcome: 'refused' })
  expect(await stored(logs)).toBeUndefined()
})

test('a slow writer without handles appends nothing after its entry was given up', async () => {
  await using logs = await openLogs()
  const log = await openThings(logs)
  let go = () => {}
  let isDelayed = true
  const slow = await openThings(logs, async (name, work) => {
    if (name === 'log.append' && isDelayed) {
      isDelayed = false
      await new Promise<void>((resolve) => {
        go = resolve
      })
    }
    return work()
  })
  const id = anEntryId()
  const beginning = slow.begin({ kind: 'nothing', key: 'thing', id, type: 'card.published', begins: [], dependsOn: [], hidden: [] })
  await turns()
  await log.settle('nothing', 'thing')
  go()
  expect(await beginning).toEqual({ outcome: 'refused' })
  expect(await logs.storage.log.has(id)).toBeUndefined()
})

test('a reader waits for a beginning that its own instance has under way', async () => {
  await using logs = await openLogs()
  const log = await openThings(logs)
  const thing = aThing()
  const [begun] = await Promise.all([
    create(logs, log, thing),
    log.settle('nothing', 'thing'),
    turns().then(() => log.settle('nothing', 'thing')),
  ])
  expect(begun.outcome).toBe('begun')
  expect(await stored(logs)).toEqual(thing)
})

test('concurrent settlers of one half reach the same outcome', async () => {
  await using logs = await openLogs()
  const all = [await openThings(logs), await openThings(logs), await openThings(logs)]
  const { gate, arm } = crashAt('log.append', 1, 'before')
  const crashing = await openCrashing(logs, gate)
  arm()
  void create(logs, crashing, aThing())
  await turns()
  await Promise.all([...all, ...all].map((log) => log.settle('nothing', 'thing')))
  expect(await stored(logs)).toBeUndefined()
  expect(await openHalves(logs)).toBe(0)
})

test('an ending whose intent fails names the operation, and ends nothing', async () => {
  await using logs = await openLogs()
  const log = await openThings(logs)
  const things = thingsIn(logs.storage)
  await create(logs, log, aThing())
  const ending = { type: 'token.revoked', ends: [{ handle: aHandle() }], id: anEntryId() } as const
  const intent = [things.changing('thing', {}, { body: 'two' }), things.changing('thing', { body: 'three' }, { body: 'four' })]
  expect(await log.tryEnd({ ...ending, intent })).toEqual({ outcome: 'failed', failed: 1 })
  await expect(log.end({ ...ending, intent })).rejects.toMatchObject({
    reason: 'conflict',
    message: expect.stringContaining('has changed'),
  })
  expect(log.ended.has(ending.ends[0].handle)).toBe(false)
  expect(await stored(logs)).toMatchObject({ body: 'one' })
  expect(await log.tryEnd({ ...ending, intent: [] })).toMatchObject({ outcome: 'ended' })
})

test('a failed search for halves is logged and repeated', async () => {
  await using logs = await openLogs()
  let isBroken = false
  const warnings: string[] = []
  const gate: Gate = async (name, work) => {
    if (isBroken && name === 'halves.find') throw new Error('the disk is gone')
    return work()
  }
  await logs.open({ gate, halves: completing(logs.storage), log: { ...silentLog, warn: (text) => warnings.push(text) } })
  const { gate: crashGate, arm } = crashAt('log.append', 1, 'before')
  const crashing = await openCrashing(logs, crashGate)
  arm()
  const lost = create(logs, crashing, aThing()).catch(() => undefined)
  await turns()
  isBroken = true
  logs.clock.advance(31)
  await turns()
  expect(warnings.filter((text) => text.includes('pending writes could not be resolved'))).toHaveLength(1)
  isBroken = false
  logs.clock.advance(31)
  await turns()
  expect(await openHalves(logs)).toBe(0)
  await lost
})

/** A trust log of a writer that crashes, and is not closed. */
async function openCrashing(logs: Logs, gate: Gate): Promise<ServedTrustLog> {
  return logs.open({ gate, halves: completing(logs.storage), crashes: true })
}
