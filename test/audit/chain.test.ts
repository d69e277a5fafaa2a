import { expect, test } from 'vitest'
import { verifyChain } from '../../src/audit/chain.js'
import { newAudit } from '../../src/audit/new-audit.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { newId } from '../../src/protocol/ids.js'
import { openStore } from '../storage/open-store.js'

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
