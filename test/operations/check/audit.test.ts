// `admin check` walks the audit chains of a store in a file, and compares them with the log.
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { anchorLinks } from '../../../src/audit/anchors.js'
import { newAudit } from '../../../src/audit/audit-log.js'
import { removedForm } from '../../../src/audit/chain.js'
import { AuditRow } from '../../../src/audit/store.js'
import { silentLog } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import { checkStore } from '../../../src/operations/check/check.js'
import { newId } from '../../../src/protocol/ids.js'
import { parseDataConfig } from '../../../src/server/config.js'
import { tempFolder } from '../../storage/open-store.js'
import { openLogs } from '../../trust-log/open-logs.js'

const ROWS = 5200

let logs: Awaited<ReturnType<typeof openLogs>>
/** A store with two writers, of which one has more links than one step of the verification covers. */
beforeAll(async () => {
  logs = await openLogs()
  const { storage, clock } = logs
  const trustLog = await logs.open({ crashes: true })
  const row = { orgId: newId(systemRandom, 'org'), actor: newId(systemRandom, 'mem'), action: 'cards.publish', outcome: 'done' } as const
  for (const [writer, rows] of [
    ['w1', ROWS],
    ['w2', 1],
  ] as const) {
    const audit = newAudit({ storage, clock, log: silentLog, writer, trustLog })
    await audit.start()
    await Promise.all(Array.from({ length: rows }, () => audit.record(row)))
    await audit.close()
    await anchorLinks(audit.store, trustLog, clock.now())
  }
  await trustLog.close()
  await storage.close()
})
afterAll(() => logs[Symbol.asyncDispose]())

/** Checks a copy of the store after `damage`. */
async function checkOf(damage: (db: InstanceType<typeof DatabaseSync>) => void = () => undefined) {
  await using folder = await tempFolder()
  const file = join(folder.path, 'credence.db')
  copyFileSync(logs.file, file)
  const db = new DatabaseSync(file)
  damage(db)
  db.close()
  return checkStore({ config: parseDataConfig({}, undefined, {}), file, log: silentLog, onProgress: () => undefined })
}

test('the chains of every writer are walked to their ends', async () => {
  const { isSound, faults, checked, notChecked } = await checkOf()
  expect({ isSound, faults, notChecked, auditRows: checked.auditRows }).toEqual({
    isSound: true,
    faults: [],
    notChecked: [],
    auditRows: ROWS + 1,
  })
})

const doc = (collection: string, key: string, change: string) =>
  `UPDATE "docs/${collection}" SET doc = json_set(doc, ${change}) WHERE key = '${key}'`

test.each([
  ['a changed row', doc('audit-rows', 'w1 000000005199', "'$.subject', 'nobody'"), 'link 10 of w1', /changed, removed or added/],
  ['a missing row', `DELETE FROM "docs/audit-rows" WHERE key = 'w2 000000000000'`, 'link 0 of w2', /changed, removed or added/],
  ['a missing anchor', 'DELETE FROM "docs/audit-anchors" WHERE key LIKE \'%0\'', 'anchor 0', /does not match/],
  ['a row that is no JSON', `UPDATE "docs/audit-rows" SET doc = '{' WHERE key = 'w2 000000000000'`, 'the file', /no JSON/],
] as const)('%s is named', async (_, damage, where, text) => {
  const { isSound, faults } = await checkOf((db) => db.exec(damage))
  expect(isSound).toBe(false)
  expect(faults).toContainEqual({ part: 'audit', where, text: expect.stringMatching(text), isDerived: false })
})

test('a row that is missing as if by retention is named', async () => {
  const { faults } = await checkOf((db) => {
    const key = 'w2 000000000000'
    const row = AuditRow.parse(JSON.parse(String(db.prepare('SELECT doc FROM "docs/audit-rows" WHERE key = ?').get(key)?.doc)))
    db.prepare('DELETE FROM "docs/audit-rows" WHERE key = ?').run(key)
    db.prepare(`UPDATE "docs/audit-links" SET doc = json_set(doc, '$.removed', json(?)) WHERE key = 'w2:0'`).run(
      JSON.stringify([removedForm(row)]),
    )
  })
  expect(faults).toContainEqual(
    expect.objectContaining({ part: 'audit', where: 'link 0 of w2', text: expect.stringMatching(/no retention/) }),
  )
})
