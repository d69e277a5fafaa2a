// Retention removes the rows of one organisation, and the chain stays verifiable for all that is left.
import { describe, expect, test } from 'vitest'
import { anchorLinks } from '../../src/audit/anchors.js'
import { newAudit } from '../../src/audit/audit-log.js'
import { removedForm } from '../../src/audit/chain.js'
import { removeExpiredRows } from '../../src/audit/remove-rows.js'
import { setRetention } from '../../src/audit/retention.js'
import type { AuditRetention } from '../../src/audit/store.js'
import { verifyAudit } from '../../src/audit/verify.js'
import type { Caller } from '../../src/http/caller.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { newId, type OrgId } from '../../src/protocol/ids.js'
import { restoreLog } from '../../src/trust-log/recovery/restore.js'
import { type Actor, type Registry, startRegistry } from '../registry.js'
import { reasonOf } from '../stories/actors.js'
import { aHandle, noRecords, openLogs } from '../trust-log/open-logs.js'

const DAY = 86_400
const [acme, globex] = [newId(systemRandom, 'org'), newId(systemRandom, 'org')]
const member = newId(systemRandom, 'mem')

/** 230 rows of Acme (one of which ended a handle), 20 of Globex and one of both, linked and anchored. */
async function opened(daysAgo = 100) {
  const logs = await openLogs()
  const { storage, clock } = logs
  let trustLog = await logs.open({ crashes: true })
  const first = newAudit({ storage, clock, log: silentLog, writer: 'w1', trustLog })
  const { store } = first
  const draft = (orgId: OrgId, otherOrgId?: OrgId) => ({
    orgId,
    ...(otherOrgId && { otherOrgId }),
    actor: member,
    action: 'cards.publish',
    outcome: 'done' as const,
  })
  await first.start()
  const ended = aHandle()
  await storage.commit(first.recordingEnd(draft(acme), { ends: [{ handle: ended }], reason: 'superseded', note: 'private' }))
  for (let i = 0; i < 23; i++) {
    await Promise.all(Array.from({ length: 10 }, () => first.record(draft(acme))))
    await first.record(draft(globex))
  }
  await first.record(draft(acme, globex))
  await first.close()
  await anchorLinks(store, trustLog, clock.now())
  clock.advance(daysAgo * DAY)
  const audit = newAudit({ storage, clock, log: silentLog, writer: 'w2', trustLog })
  await audit.start()
  await audit.record(draft(acme))
  const administrator = { kind: 'member', role: 'administrator', orgId: acme } as Caller // no other field is read
  return {
    ...logs,
    store,
    ended,
    keep: (orgId: OrgId, days: number | null) =>
      setRetention(
        { audit, trustLog, random: systemRandom },
        { ...administrator, orgId, id: member, dependencies: { handles: [] } } as never,
        orgId,
        {
          days,
        },
      ),
    run: () => removeExpiredRows({ audit, storage, trustLog, random: systemRandom }, clock.now()),
    verified: async () => {
      const { rows, removed, broken, brokenAnchors } = await verifyAudit(store, trustLog, administrator, undefined)
      return { rows, removed, broken, brokenAnchors }
    },
    /** The rows of an organisation, without those about its settings. */
    count: async (orgId: OrgId) => {
      const { items } = await store.rows.find('organisation', { where: { orgIds: orgId }, limit: 1000 })
      return items.filter(({ facts }) => facts?.days === undefined).length
    },
    /** Begins a new epoch of the log. */
    restore: async () => {
      await trustLog.close()
      const options = { witness: undefined, mirror: [], isCurrent: true, isForced: true, random: systemRandom, log: silentLog }
      await restoreLog({ ...noRecords, ...options, port: storage.log, clock })
      trustLog = await logs.open({ crashes: true })
    },
    [Symbol.asyncDispose]: async () => {
      await audit.close()
      await trustLog.close()
      await logs[Symbol.asyncDispose]()
    },
  }
}

test('the rows past the retention of their organisation go, those of others stay, and the chain verifies', async () => {
  await using world = await opened()
  await world.run()
  expect(await world.count(acme)).toBe(233)
  await world.keep(acme, 30)
  await world.run()
  // The row of both, the new one, and the row about the removal stay
  expect([await world.count(acme), await world.count(globex)]).toEqual([3, 24])
  expect(await world.verified()).toEqual({ rows: 24, removed: 231, broken: [], brokenAnchors: [] })
  expect((await world.store.endedHandles.find('handles', { where: { handles: world.ended }, limit: 1 })).items).toEqual([])
  await world.run()
  expect(await world.count(acme), 'nothing more is removed').toBe(3)
  await world.keep(globex, 90)
  await world.run()
  expect([await world.count(acme), await world.count(globex)]).toEqual([2, 1])
  expect(await world.verified()).toEqual({ rows: 0, removed: 255, broken: [], brokenAnchors: [] })
})

test('a retention that is longer than the age of the rows removes none, and rows of a link without anchor wait', async () => {
  await using world = await opened()
  await world.keep(acme, 100)
  await world.run()
  expect(await world.count(acme)).toBe(233)
  await world.store.links.change('w1:0', {}, { isUnanchored: true })
  await world.keep(acme, 30)
  await world.run()
  expect(await world.count(acme)).toBe(233)
  await world.store.links.change('w1:0', {}, { isUnanchored: undefined })
  await world.run()
  expect(await world.count(acme)).toBe(3)
})

test.each([
  [
    'a further row is removed',
    async ({ store }: Awaited<ReturnType<typeof opened>>) => void (await store.rows.take('w1 000000000011', {})),
  ],
  [
    'a remaining row is changed',
    async ({ store }: Awaited<ReturnType<typeof opened>>) => void (await store.rows.change('w1 000000000011', {}, { outcome: 'refused' })),
  ],
  [
    'a removed row gets another organisation',
    async ({ store }: Awaited<ReturnType<typeof opened>>) => {
      const { removed = [] } = (await store.links.get('w1:0')) ?? {}
      await store.links.change('w1:0', {}, { removed: removed.map((row) => ({ ...row, orgIds: [globex] })) })
    },
  ],
])('verify reports the link if %s', async (_, tamper) => {
  await using world = await opened()
  await world.keep(acme, 30)
  await world.run()
  await tamper(world)
  expect((await world.verified()).broken).toEqual([{ writer: 'w1', link: 0 }])
})

type World = Awaited<ReturnType<typeof opened>>
const early = [{ writer: 'w1', link: 0, isRemovedEarly: true }]

/** Removes a row of Acme by hand, in the form in which retention removes rows. */
async function removeAsIfByRetention({ store }: World) {
  const row = await store.rows.take('w1 000000000012', {})
  const { removed = [] } = (await store.links.get('w1:0')) ?? {}
  if (row === undefined) throw new Error('the row was removed before')
  await store.links.change('w1:0', {}, { removed: [...removed, removedForm(row)], removedCount: removed.length + 1 })
}
/** Writes a setting over the stored one. */
async function put({ store }: World, setting: AuditRetention | undefined) {
  await store.retention.take(acme, {})
  if (setting) await store.retention.insert(setting)
}

test.each([
  ['no retention was set', async () => undefined],
  ['the retention has not reached it', ({ keep }: World) => keep(acme, 365)],
  [
    'a retention that has reached it was written into the store',
    (world: World) => put(world, { orgId: acme, days: 30, removedBefore: 4e9, setBy: member }),
  ],
  [
    'the stored retention was shortened',
    async (world: World) => {
      await world.keep(acme, 365)
      await world.store.retention.change(acme, {}, { days: 30, removableBefore: 4e9 })
    },
  ],
  [
    'a shorter retention that was set before was put back',
    async (world: World) => {
      await world.keep(acme, 30)
      const before = await world.store.retention.get(acme)
      await world.keep(acme, 365)
      await put(world, before)
    },
  ],
  [
    'the retention was removed from the store',
    async (world: World) => {
      await world.keep(acme, 30)
      await put(world, undefined)
    },
  ],
])('a row that is missing as if by retention is reported if %s, and retention removes nothing more', async (_, tamper) => {
  await using world = await opened()
  await tamper(world)
  await removeAsIfByRetention(world)
  expect((await world.verified()).broken).toEqual(early)
  await world.run()
  expect(await world.count(acme)).toBe(232)
  // A setting that is made later does not excuse the row
  await world.keep(acme, 365)
  expect((await world.verified()).broken).toEqual(early)
})

test('a row of today that is missing as if by a retention of 30 days is reported', async () => {
  await using world = await opened(0)
  await world.keep(acme, 30)
  await removeAsIfByRetention(world)
  expect((await world.verified()).broken).toEqual(early)
})

test('rows that a shorter retention has removed stay excused when it is extended, and after the setting was anchored in a new epoch', async () => {
  await using world = await opened()
  await world.keep(acme, 30)
  await world.run()
  await world.keep(acme, null)
  await world.keep(acme, 365)
  expect((await world.verified()).broken).toEqual([])
  await world.restore()
  expect((await world.verified()).broken).toEqual([])
  const before = await world.store.retention.get(acme)
  await world.run()
  expect((await world.store.retention.get(acme))?.epoch).not.toBe(before?.epoch)
  expect((await world.verified()).broken).toEqual([])
  await put(world, before)
  expect((await world.verified()).broken).toEqual(early)
})

test('two instances that remove rows at once remove each row once', async () => {
  await using world = await opened()
  await world.keep(acme, 30)
  await world.keep(globex, 30)
  await Promise.all([world.run(), world.run()])
  await world.run()
  expect(await world.verified()).toEqual({ rows: 0, removed: 255, broken: [], brokenAnchors: [] })
})

describe('audit.setRetention', () => {
  const setting = (actor: Actor, input: object) => reasonOf(actor.mutate('audit.setRetention', input))

  test('administrators set at least 30 days and at least what the operator demands; operators set only the minimum', async () => {
    await using registry: Registry = await startRegistry({ servers: 1 })
    const admin = await registry.organisation('Acme')
    const other = await registry.organisation('Globex')
    const { orgId } = admin
    const retention = () => admin.query('audit.getRetention')
    expect(await retention()).toEqual({ orgId, days: null, minimumDays: 30 })
    expect(await setting(admin, { days: 29 })).toBe('bad_input')
    expect(await setting(admin, { days: 60 })).toBe('done')
    expect(await setting(registry.operator, { orgId, days: 30 })).toBe('forbidden')
    expect(await setting(admin, { minimumDays: 1 })).toBe('forbidden')
    expect(await setting(other, { orgId, days: 30 })).toBe('not_found')
    expect(await setting(admin, { dayz: 30 })).toBe('bad_input')
    expect(await setting(registry.operator, { orgId, minimumDays: 90 })).toBe('done')
    expect(await retention()).toEqual({ orgId, days: 90, minimumDays: 90 })
    await expect(admin.mutate('audit.setRetention', { days: 60 })).rejects.toMatchObject({
      faults: [{ pointer: '/days', hint: 'at least 90' }],
    })
    expect(await setting(registry.operator, { orgId: newId(systemRandom, 'org'), minimumDays: 90 })).toBe('not_found')
    expect(await setting(admin, { days: null })).toBe('done')
    expect(await retention()).toEqual({ orgId, days: null, minimumDays: 90 })
    const { items } = await admin.query<{ items: object[] }>('audit.list', { action: 'audit.setRetention', outcome: 'done' })
    expect(items).toMatchObject([{ facts: { days: 'none' } }, { facts: { minimumDays: 90 } }, { facts: { days: 60 } }])
  })
})
