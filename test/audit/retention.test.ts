// Retention removes the rows of one organisation, and the chain stays verifiable for all that is left.
import { describe, expect, test } from 'vitest'
import { anchorLinks } from '../../src/audit/anchors.js'
import { newAudit } from '../../src/audit/audit-log.js'
import { removeExpiredRows } from '../../src/audit/remove-rows.js'
import type { AuditRetention } from '../../src/audit/store.js'
import { verifyAudit } from '../../src/audit/verify.js'
import type { Caller } from '../../src/http/caller.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { newId, type OrgId } from '../../src/protocol/ids.js'
import { type Actor, type Registry, startRegistry } from '../registry.js'
import { reasonOf } from '../stories/actors.js'
import { aHandle, openLogs } from '../trust-log/open-logs.js'

const DAY = 86_400
const [acme, globex] = [newId(systemRandom, 'org'), newId(systemRandom, 'org')]
const member = newId(systemRandom, 'mem')

/** 230 rows of Acme (one of which ended a handle), 20 of Globex and one of both, linked and anchored; 100 days ago. */
async function opened() {
  const logs = await openLogs()
  const { storage, clock } = logs
  const trustLog = await logs.open()
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
  await anchorLinks(store, trustLog)
  clock.advance(100 * DAY)
  const audit = newAudit({ storage, clock, log: silentLog, writer: 'w2', trustLog })
  await audit.start()
  await audit.record(draft(acme))
  const administrator = { kind: 'member', role: 'administrator', orgId: acme } as Caller // no other field is read
  return {
    ...logs,
    store,
    ended,
    keep: async (orgId: OrgId, days: number) => {
      const retention: AuditRetention = { orgId, days, setBy: member }
      if ((await store.retention.insert(retention)) === 'exists') await store.retention.change(orgId, {}, { days, position: undefined })
    },
    run: () => removeExpiredRows({ audit, storage }, clock.now()),
    verified: async () => {
      const { rows, removed, broken, brokenAnchors } = await verifyAudit(store, trustLog, administrator, undefined)
      return { rows, removed, broken, brokenAnchors }
    },
    count: async (orgId: OrgId) => (await store.rows.find('organisation', { where: { orgIds: orgId }, limit: 1000 })).items.length,
    [Symbol.asyncDispose]: async () => {
      await audit.close()
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
  [
    'the rows of an organisation without retention are replaced by their digests',
    async ({ store }: Awaited<ReturnType<typeof opened>>) => void (await store.retention.take(acme, {})),
  ],
])('verify reports the link if %s', async (_, tamper) => {
  await using world = await opened()
  await world.keep(acme, 30)
  await world.run()
  await tamper(world)
  expect((await world.verified()).broken).toEqual([{ writer: 'w1', link: 0 }])
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
