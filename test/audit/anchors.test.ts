import { expect, test } from 'vitest'
import { anchorLinks, checkAnchor } from '../../src/audit/anchors.js'
import { newAudit } from '../../src/audit/audit-log.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { newId } from '../../src/protocol/ids.js'
import { restoreLog } from '../../src/trust-log/recovery/restore.js'
import { noRecords, openLogs } from '../trust-log/open-logs.js'

test('the first anchor of an epoch covers the chains of every writer again', async () => {
  await using logs = await openLogs()
  const { storage, clock } = logs
  const trustLog = await logs.open({ crashes: true })
  const row = { orgId: newId(systemRandom, 'org'), actor: newId(systemRandom, 'mem'), action: 'cards.publish', outcome: 'done' } as const
  for (const writer of ['w1', 'w2', 'w3']) {
    const audit = newAudit({ storage, clock, log: silentLog, writer, trustLog })
    await audit.start()
    await audit.record(row)
    await audit.close()
    await anchorLinks(audit.store, trustLog, clock.now())
    await anchorLinks(audit.store, trustLog, clock.now())
  }
  const { store } = newAudit({ storage, clock, log: silentLog, writer: 'w4', trustLog })
  const headsOf = async (log: typeof trustLog, number: number) =>
    (await store.anchors.get(`${log.epoch} ${String(number).padStart(12, '0')}`))?.heads.map(({ writer }) => writer)
  expect([await headsOf(trustLog, 0), await headsOf(trustLog, 1), await headsOf(trustLog, 2), await headsOf(trustLog, 3)]).toEqual([
    ['w1'],
    ['w2'],
    ['w3'],
    undefined,
  ])
  await trustLog.close()

  await restoreLog({
    ...noRecords,
    port: storage.log,
    witness: undefined,
    mirror: [],
    isCurrent: true,
    isForced: true,
    clock,
    random: systemRandom,
    log: silentLog,
  })
  const restored = await logs.open()
  expect(await checkAnchor(store, restored, 0)).toBeUndefined()
  await anchorLinks(store, restored, clock.now())
  expect((await headsOf(restored, 0))?.toSorted()).toEqual(['w1', 'w2', 'w3'])
  expect([await checkAnchor(store, restored, 0), await checkAnchor(store, restored, 1)]).toEqual(['intact', undefined])
})
