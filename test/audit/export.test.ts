// An export that goes on from its last row has every row once, although instances commit rows late and out of order.
import { expect, test } from 'vitest'
import { newAudit } from '../../src/audit/audit-log.js'
import { exportAudit } from '../../src/audit/export.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { newId } from '../../src/protocol/ids.js'
import { eventually } from '../eventually.js'
import { openLogs } from '../trust-log/open-logs.js'

const opened = async () => {
  const logs = await openLogs()
  const trustLog = await logs.open()
  const orgId = newId(systemRandom, 'org')
  const actor = newId(systemRandom, 'mem')
  const writer = (name: string, clock = logs.clock) => newAudit({ storage: logs.storage, clock, log: silentLog, writer: name, trustLog })
  const draft = (subject: string) => ({ orgId, actor, action: 'cards.publish', outcome: 'done' as const, subject })
  const { store } = writer('reader')
  /** Rows that an export returns after `cursor`, in pages of three. */
  const read = async (from?: string) => {
    const subjects: string[] = []
    let cursor = from
    for (let page: Awaited<ReturnType<typeof exportAudit>> | undefined; page === undefined || page.cursor !== undefined; ) {
      page = await exportAudit(store, new Set(), { orgId, reader: orgId, limit: 3, cursor: page?.cursor ?? cursor })
      subjects.push(...page.items.map(({ subject }) => String(subject)))
      cursor = page.items.at(-1)?.cursor ?? cursor
    }
    return { subjects, cursor }
  }
  const settled = async (name: string) => (await store.writers.get(name))?.settledUntil ?? 0
  /** Lets the writer link its rows until everything before the present second is settled. */
  const settle = async (name: string) => {
    const goal = logs.clock.now()
    await eventually(async () => {
      logs.clock.advance(6)
      expect(await settled(name)).toBeGreaterThan(goal)
    })
  }
  return { ...logs, writer, draft, read, settle, store }
}

test('a row that is committed after a later one is not skipped', async () => {
  await using world = await opened()
  const { clock, storage, read, draft } = world
  const audit = world.writer('w1')
  await audit.start()
  await audit.record(draft('first'))
  clock.advance(30)
  const late = audit.recording(draft('late'))
  clock.advance(4)
  await audit.record(draft('later'))
  const before = await read()
  expect((await storage.commit([late])).ok).toBe(true)
  clock.advance(30)
  await world.settle('w1')
  clock.advance(30)
  await audit.record(draft('last'))
  await world.settle('w1')
  await world.settle('w1')
  const after = await read(before.cursor)
  expect([...before.subjects, ...after.subjects]).toEqual(['first', 'late', 'later', 'last'])
  await audit.close()
})

test('the rows of two instances come in one order, and those of a crashed instance are waited for', async () => {
  await using world = await opened()
  const { clock, read, draft } = world
  const [one, two] = [world.writer('w1'), world.writer('w2')]
  await one.start()
  await two.start()
  for (let i = 0; i < 6; i++) {
    await (i % 2 === 0 ? one : two).record(draft(`row ${i}`))
    clock.advance(1)
  }
  // `w2` stops as if it was killed
  await two.close()
  await world.store.writers.change('w2', {}, { hasUnlinkedRows: true, settledUntil: clock.now() - 100, lastSeen: clock.now() })
  await world.settle('w1')
  expect((await read()).subjects).toEqual([])
  clock.advance(61)
  await eventually(async () => {
    clock.advance(6)
    expect((await world.store.writers.get('w2'))?.hasUnlinkedRows).toBeUndefined()
  })
  await world.settle('w1')
  expect((await read()).subjects).toEqual(Array.from({ length: 6 }, (_, i) => `row ${i}`))
  await one.close()
})

test('rows that are written while the clock was set back come after those before', async () => {
  await using world = await opened()
  const { clock, read, draft } = world
  const audit = world.writer('w1')
  await audit.start()
  await audit.record(draft('before'))
  await world.settle('w1')
  clock.advance(40)
  await world.settle('w1')
  const first = await read()
  clock.step(-200)
  await audit.record(draft('after'))
  clock.advance(260)
  await world.settle('w1')
  await world.settle('w1')
  expect([first.subjects, (await read(first.cursor)).subjects]).toEqual([['before'], ['after']])
  await audit.close()
})
