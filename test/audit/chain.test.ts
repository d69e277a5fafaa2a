import { describe, expect, test } from 'vitest'
import { anchorLinks } from '../../src/audit/anchors.js'
import { newAudit } from '../../src/audit/audit-log.js'
import { lastRow, linkRows } from '../../src/audit/chain.js'
import { verifyAudit } from '../../src/audit/verify.js'
import type { Caller } from '../../src/http/caller.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { newId } from '../../src/protocol/ids.js'
import { type Gate, gatedStorage } from '../trust-log/gated-storage.js'
import { openLogs } from '../trust-log/open-logs.js'

const aDraft = (action = 'cards.publish') => ({
  orgId: newId(systemRandom, 'org'),
  actor: newId(systemRandom, 'mem'),
  action,
  outcome: 'done' as const,
})
const opened = async () => {
  const logs = await openLogs()
  const trustLog = await logs.open()
  const { storage, clock } = logs
  return { ...logs, trustLog, audit: newAudit({ storage, clock, log: silentLog, writer: 'w1', trustLog }) }
}

/** Verifies all chains, as an administrator does. */
async function verified({ audit, trustLog }: Pick<Awaited<ReturnType<typeof opened>>, 'audit' | 'trustLog'>) {
  const administrator = { kind: 'member', role: 'administrator', orgId: newId(systemRandom, 'org') } as Caller // no other field is read
  const { links, broken } = await verifyAudit(audit.store, trustLog, administrator, undefined)
  return { links, broken }
}

test('every row of a writer is linked, and a failed commit leaves a gap that breaks nothing', async () => {
  await using store = await opened()
  const { audit, storage } = store
  await audit.start()
  for (let i = 0; i < 10; i++) await audit.record(aDraft())
  const operation = audit.recording(aDraft())
  expect((await storage.commit([operation, audit.store.links.taking('nothing', {})])).ok).toBe(false)
  for (let i = 0; i < 10; i++) await audit.record(aDraft())
  await audit.close()
  expect(await verified(store)).toEqual({ links: 1, broken: [] })
  const link = await audit.store.links.get('w1:0')
  expect(link).toMatchObject({ from: 0, to: 20, count: 20 })
})

test.each([
  ['changed', async ({ audit }: Awaited<ReturnType<typeof opened>>, id: string) => audit.store.rows.change(id, {}, { outcome: 'refused' })],
  ['removed', async ({ audit }: Awaited<ReturnType<typeof opened>>, id: string) => audit.store.rows.take(id, {})],
  [
    'attributed to another member',
    async ({ audit }: Awaited<ReturnType<typeof opened>>, id: string) =>
      audit.store.rows.change(id, {}, { actor: newId(systemRandom, 'mem') }),
  ],
  ['renumbered', async ({ audit }: Awaited<ReturnType<typeof opened>>, id: string) => audit.store.rows.change(id, {}, { number: 99 })],
])('a row that was %s breaks its link', async (_, tamper) => {
  await using store = await opened()
  await store.audit.start()
  for (let i = 0; i < 5; i++) await store.audit.record(aDraft())
  await store.audit.close()
  const { items } = await store.audit.store.rows.find('writer', { where: { writer: 'w1' }, limit: 10 })
  await tamper(store, items[2]?.id ?? '')
  expect(await verified(store)).toEqual({ links: 1, broken: [{ writer: 'w1', link: 0 }] })
})

test('a link that was removed from the middle breaks the chain', async () => {
  await using store = await opened()
  const { audit } = store
  await audit.start()
  for (let i = 0; i < 1100; i += 100) await Promise.all(Array.from({ length: 100 }, () => audit.record(aDraft())))
  await audit.close()
  expect(await verified(store)).toEqual({ links: 3, broken: [] })
  await audit.store.links.take('w1:1', {})
  expect(await verified(store)).toEqual({ links: 2, broken: [{ writer: 'w1', link: 1 }] })
})

const anotherWriter = (
  { storage, clock, trustLog }: Pick<Awaited<ReturnType<typeof opened>>, 'storage' | 'clock' | 'trustLog'>,
  writer: string,
) => newAudit({ storage, clock, log: silentLog, writer, trustLog })

test('rows of an instance that crashed just before another started are linked while that one runs', async () => {
  await using store = await opened()
  let hasCrashed = false
  const gate: Gate = (_, work) => (hasCrashed ? new Promise(() => {}) : work())
  const crashed = anotherWriter({ ...store, storage: gatedStorage(store.storage, gate) }, 'w1')
  await crashed.start()
  await crashed.record(aDraft())
  hasCrashed = true
  store.clock.advance(5)
  const next = anotherWriter(store, 'w2')
  await next.start()
  expect(await next.store.links.get('w1:0')).toBeUndefined()
  await expect
    .poll(() => {
      store.clock.advance(5)
      return next.store.links.get('w1:0')
    })
    .toMatchObject({ count: 1 })
  await next.close()
})

describe('a row that is added to the chain of a closed writer', () => {
  /** Closes a writer, anchors its chain, and adds a row to it. A day later another instance starts. */
  const verifiedWith = async (createdAtOf: (times: { readonly written: number; readonly forged: number }) => number, links: boolean) => {
    await using store = await opened()
    const { audit, clock, trustLog } = store
    await audit.start()
    await audit.record(aDraft())
    clock.advance(10)
    await audit.record(aDraft())
    const written = clock.now()
    await audit.close()
    clock.advance(3600)
    await anchorLinks(audit.store, trustLog, clock.now())
    const last = await lastRow(audit.store, 'w1')
    if (last === undefined) throw new Error('there is a row')
    clock.advance(86_400)
    const createdAt = createdAtOf({ written, forged: clock.now() })
    await audit.store.rows.insert({ ...last, id: `w1 ${String(last.number + 1).padStart(12, '0')}`, number: last.number + 1, createdAt })
    if (links) await linkRows(audit.store, 'w1', last.number + 2)
    else await audit.store.writers.change('w1', {}, { hasUnlinkedRows: true })
    const next = anotherWriter(store, 'w2')
    await next.start()
    await next.record(aDraft())
    await next.close()
    await anchorLinks(audit.store, trustLog, clock.now())
    return (await verified(store)).broken.map(({ writer }) => writer)
  }
  test('is not linked if it says that it is from before the anchor, and the verification names the chain', async () => {
    expect(await verifiedWith(({ written }) => written + 1, false)).toEqual(['w1'])
    // A row of a crashed instance is linked
    expect(await verifiedWith(({ forged }) => forged - 60, false)).toEqual([])
  })
  test('breaks the chain if it is linked and older than the row before it', async () => {
    expect(await verifiedWith(({ written }) => written - 5, true)).toEqual(['w1'])
  })
})

test('250 crashed instances are linked once, and leave the list of writers with unlinked rows', async () => {
  await using store = await opened()
  const { clock, audit } = store
  const lastSeen = clock.now()
  const crashed = async (_: unknown, i: number) => {
    await audit.store.writers.insert({ id: `d${i}`, lastSeen, hasUnlinkedRows: true })
    await anotherWriter(store, `d${i}`).record(aDraft())
  }
  await Promise.all(Array.from({ length: 250 }, crashed))
  clock.advance(61)
  await audit.start()
  const links = await Promise.all(Array.from({ length: 250 }, (_, i) => audit.store.links.get(`d${i}:0`)))
  expect(links.filter((link) => link?.count !== 1)).toEqual([])
  expect((await audit.store.writers.find('unlinked', { where: { hasUnlinkedRows: true }, limit: 100 })).items.map(({ id }) => id)).toEqual([
    'w1',
  ])
  await audit.close()
})

test('an instance that writes no rows renews its lease, and is not taken for crashed', async () => {
  await using store = await opened()
  const other = anotherWriter(store, 'w2')
  await store.audit.start()
  await other.start()
  const startedAt = store.clock.now()
  await expect
    .poll(
      async () => {
        store.clock.advance(5)
        return (await other.store.writers.get('w1'))?.lastSeen
      },
      { interval: 2, timeout: 10_000 },
    )
    .toBeGreaterThan(startedAt + 120)
  expect(await other.store.writers.get('w1')).toMatchObject({ hasUnlinkedRows: true })
  await store.audit.close()
  expect((await other.store.writers.get('w1'))?.hasUnlinkedRows).toBeUndefined()
  await other.close()
})

test('rows of a crashed instance are linked by the next instance that starts after a minute', async () => {
  await using store = await opened()
  await store.audit.start()
  for (let i = 0; i < 5; i++) await store.audit.record(aDraft())
  // The first instance stops renewing its lease.
  store.clock.advance(61)
  const next = anotherWriter(store, 'w2')
  await next.start()
  expect(await next.store.links.get('w1:0')).toMatchObject({ count: 5 })
  await next.close()
  await store.audit.close()
})
