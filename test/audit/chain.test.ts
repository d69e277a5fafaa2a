import { expect, test } from 'vitest'
import { verifyChain } from '../../src/audit/chain.js'
import { newAudit } from '../../src/audit/new-audit.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { newId } from '../../src/protocol/ids.js'
import { openStore } from '../storage/open-store.js'
import { type Gate, gatedStorage } from '../trust-log/gated-storage.js'

const draft = (action = 'cards.publish') => ({
  orgId: newId(systemRandom, 'org'),
  actor: newId(systemRandom, 'mem'),
  action,
  outcome: 'done' as const,
})
const opened = async () => {
  const store = await openStore()
  const audit = newAudit({ storage: store.storage, clock: store.clock, log: silentLog, writer: 'w1' })
  return { ...store, audit }
}

test('every row of a writer is linked; a commit that failed leaves a gap and breaks nothing', async () => {
  await using store = await opened()
  const { audit, storage } = store
  await audit.start()
  for (let i = 0; i < 10; i++) await audit.record(draft())
  const operation = audit.recording(draft())
  expect((await storage.commit([operation, audit.store.links.taking('nothing', {})])).ok).toBe(false)
  for (let i = 0; i < 10; i++) await audit.record(draft())
  await audit.close()
  expect(await verifyChain(audit.store, 'w1')).toEqual({ links: 1 })
  const link = await audit.store.links.get('w1:0')
  expect(link).toMatchObject({ from: 0, to: 20, count: 20 })
})

test.each([
  ['changed', async ({ audit }: Awaited<ReturnType<typeof opened>>, id: string) => audit.store.rows.change(id, {}, { outcome: 'refused' })],
  ['removed', async ({ audit }: Awaited<ReturnType<typeof opened>>, id: string) => audit.store.rows.take(id, {})],
  [
    'given to somebody else',
    async ({ audit }: Awaited<ReturnType<typeof opened>>, id: string) =>
      audit.store.rows.change(id, {}, { actor: newId(systemRandom, 'mem') }),
  ],
  ['moved', async ({ audit }: Awaited<ReturnType<typeof opened>>, id: string) => audit.store.rows.change(id, {}, { n: 99 })],
])('a row that was %s breaks its link', async (_, tamper) => {
  await using store = await opened()
  await store.audit.start()
  for (let i = 0; i < 5; i++) await store.audit.record(draft())
  await store.audit.close()
  const { items } = await store.audit.store.rows.find('writer', { where: { writer: 'w1' }, limit: 10 })
  await tamper(store, items[2]?.id ?? '')
  expect(await verifyChain(store.audit.store, 'w1')).toEqual({ links: 0, broken: 0 })
})

test('a link that was removed from the middle breaks the chain', async () => {
  await using store = await opened()
  const { audit } = store
  await audit.start()
  for (let i = 0; i < 1100; i += 100) await Promise.all(Array.from({ length: 100 }, () => audit.record(draft())))
  await audit.close()
  expect(await verifyChain(audit.store, 'w1')).toEqual({ links: 3 })
  await audit.store.links.take('w1:1', {})
  expect(await verifyChain(audit.store, 'w1')).toEqual({ links: 1, broken: 1 })
})

const another = ({ storage, clock }: Pick<Awaited<ReturnType<typeof opened>>, 'storage' | 'clock'>, writer: string) =>
  newAudit({ storage, clock, log: silentLog, writer })

test('what a writer left that died just before another started is linked while that one runs', async () => {
  await using store = await opened()
  let isDead = false
  const gate: Gate = (_, work) => (isDead ? new Promise(() => {}) : work())
  const dead = another({ ...store, storage: gatedStorage(store.storage, gate) }, 'w1')
  await dead.start()
  await dead.record(draft())
  isDead = true
  store.clock.advance(5)
  const next = another(store, 'w2')
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

test('writers that died, however many, are linked once and not looked at again', async () => {
  await using store = await opened()
  const { clock, audit } = store
  const at = clock.now()
  const died = async (_: unknown, i: number) => {
    await audit.store.writers.insert({ id: `d${i}`, at, open: true })
    await another(store, `d${i}`).record(draft())
  }
  await Promise.all(Array.from({ length: 250 }, died))
  clock.advance(61)
  await audit.start()
  const links = await Promise.all(Array.from({ length: 250 }, (_, i) => audit.store.links.get(`d${i}:0`)))
  expect(links.filter((link) => link?.count !== 1)).toEqual([])
  expect((await audit.store.writers.find('open', { where: { open: true }, limit: 100 })).items.map(({ id }) => id)).toEqual(['w1'])
  await audit.close()
})

test('a writer that has nothing to write says that it lives, and is not taken for gone', async () => {
  await using store = await opened()
  const other = another(store, 'w2')
  await store.audit.start()
  await other.start()
  const began = store.clock.now()
  await expect
    .poll(
      async () => {
        store.clock.advance(5)
        return (await other.store.writers.get('w1'))?.at
      },
      { interval: 2, timeout: 10_000 },
    )
    .toBeGreaterThan(began + 120)
  expect(await other.store.writers.get('w1')).toMatchObject({ open: true })
  await store.audit.close()
  expect((await other.store.writers.get('w1'))?.open).toBeUndefined()
  await other.close()
})

test('what a writer that died has left is linked by the next that starts', async () => {
  await using store = await opened()
  await store.audit.start()
  for (let i = 0; i < 5; i++) await store.audit.record(draft())
  // It is gone without a word; a minute later another starts.
  store.clock.advance(61)
  const next = newAudit({ storage: store.storage, clock: store.clock, log: silentLog, writer: 'w2' })
  await next.start()
  expect(await next.store.links.get('w1:0')).toMatchObject({ count: 5 })
  await next.close()
  await store.audit.close()
})
