import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { DatabaseSync } from '@photostructure/sqlite'
import { expect, test } from 'vitest'
import { base64url } from '../../src/lib/bytes.js'
import { silentLog } from '../../src/lib/log.js'
import { loadFromFile } from '../../src/operations/dump/command.js'
import { restoreStore } from '../../src/operations/restore/restore.js'
import { parseDataConfig } from '../../src/server/config.js'
import { openSqlite } from '../../src/storage/sqlite/open.js'
import { leafOfEntry } from '../../src/trust-log/proofs/leaf.js'
import { setClock } from '../set-clock.js'
import { tempFolder } from '../storage/open-store.js'
import { reasonOf } from '../stories/actors.js'

const fixture = (format: number) => gunzipSync(readFileSync(resolve(import.meta.dirname, `../storage/fixtures/format-${format}.db.gz`)))

async function entriesOf(file: string) {
  const storage = await openSqlite({ file, clock: setClock() })
  const blocks = await storage.log.read(0, 1000)
  await storage.close()
  return blocks.flatMap(({ epoch, entries }) => entries.map((entry) => ({ epoch, entry })))
}

/** All rows of the tables that a restore writes. */
function contentOf(file: string): string {
  // A refused file stays locked by this process until its statements are collected
  copyFileSync(file, `${file}-copy`)
  const db = new DatabaseSync(`${file}-copy`)
  const tables = ['log_blocks', 'log_entries', 'docs/agents', 'docs/registered-keys', 'docs/signing-keys']
  const content = JSON.stringify(tables.map((table) => db.prepare(`SELECT * FROM "${table}" ORDER BY 1`).all()))
  db.close()
  return content
}

/** Writes a store and the witness of its registry, changes the store, and returns the reason of the restore's refusal. */
async function restoreOf(
  change: (file: string, folder: string) => undefined | string | Promise<string>,
): Promise<{ readonly reason: string; readonly isUnchanged: boolean }> {
  await using folder = await tempFolder()
  const file = join(folder.path, 'credence.db')
  writeFileSync(file, fixture(6), { mode: 0o600 })
  const last = (await entriesOf(file)).at(-1)
  if (last === undefined) throw new Error('the fixture has no log')
  const { epoch, entry } = last
  const witness = join(folder.path, 'witness.json')
  writeFileSync(witness, JSON.stringify({ epoch, seq: entry.seq, hash: base64url(leafOfEntry(entry)) }), { mode: 0o600 })
  const mirror = (await change(file, folder.path)) ?? undefined
  const before = contentOf(file)
  const config = parseDataConfig({ dataDirectory: folder.path, witness }, undefined, {})
  const reason = await reasonOf(restoreStore(config, mirror))
  return { reason, isUnchanged: contentOf(file) === before }
}

const sql =
  (statement: string) =>
  (file: string): undefined => {
    const db = new DatabaseSync(file)
    db.exec(statement)
    db.close()
  }

test('REG-17 the backup of the registry itself is restored', async () => {
  expect(await restoreOf(() => undefined)).toEqual({ reason: 'done', isUnchanged: false })
})

const ANY_KEY = 'key = (SELECT min(key) FROM "docs/registered-keys")'
const ANY_BLOCK = 'n = (SELECT max(n) FROM log_blocks WHERE until IS NOT NULL)'
test.each([
  [
    'a backup of another registry',
    'conflict',
    (file: string) => {
      writeFileSync(file, fixture(5), { mode: 0o600 })
      return undefined
    },
  ],
  [
    'a mirror of another registry',
    'unavailable',
    async (_: string, folder: string) => {
      const other = join(folder, 'other.db')
      writeFileSync(other, fixture(5), { mode: 0o600 })
      const mirror = join(folder, 'mirror.jsonl')
      const lines = (await entriesOf(other)).map(({ entry }) => `${JSON.stringify(entry)}\n`)
      writeFileSync(mirror, lines.join(''), { mode: 0o600 })
      return mirror
    },
  ],
  ['an older format', 'unavailable', sql('PRAGMA user_version = 2')],
  [
    'a revocation that was taken out of the log',
    'conflict',
    sql(`UPDATE log_blocks SET block = json_set(block, '$.entries[0].ends', json('[]')) WHERE ${ANY_BLOCK}`),
  ],
  ['a block that was removed', 'conflict', sql(`DELETE FROM log_blocks WHERE ${ANY_BLOCK}`)],
  [
    'a changed key of the registry',
    'conflict',
    sql(`UPDATE "docs/signing-keys" SET doc = json_set(doc, '$.d', json_extract(doc, '$.publicJwk.x'))`),
  ],
  [
    'a registered key that was put into the store',
    'conflict',
    sql(`UPDATE "docs/registered-keys" SET doc = json_set(doc, '$.jwk.x', json_extract(doc, '$.jwk.y')) WHERE ${ANY_KEY}`),
  ],
  [
    'a slot that gives the key of one owner to another',
    'conflict',
    sql(`UPDATE "docs/key-slots" SET doc = json_set(doc, '$.owner', 'mem_0123456789abcdefghijkl') WHERE key LIKE 'mem_% 0'`),
  ],
  ['a row of another form', 'conflict', sql(`UPDATE "docs/agents" SET doc = json_set(doc, '$.isOperator', true, '$.handle', 1)`)],
  [
    'a row under the key of another',
    'conflict',
    sql(`UPDATE "docs/tasks" SET key = '../../task' WHERE key = (SELECT min(key) FROM "docs/tasks")`),
  ],
] as const)('REG-17 a restore refuses %s, and writes nothing', async (_, reason, change) => {
  expect(await restoreOf(change)).toEqual({ reason, isUnchanged: true })
})

test('REG-17 a restore that was killed after it had written the new entries of keys is repeated', async () => {
  const killed = sql(`UPDATE "docs/registered-keys" SET doc = json_set(doc, '$.reissuedEntry', 'ent_0123456789abcdefghijkl')`)
  expect(await restoreOf(killed)).toEqual({ reason: 'done', isUnchanged: false })
})

test('REG-17 a dump with a path as the name of a collection is refused, and no store is made', async () => {
  await using folder = await tempFolder()
  const dump = join(folder.path, 'dump.jsonl')
  const header = { export: 'credence', version: 1, contents: 'store', isSealed: false, position: `epo:${'A'.repeat(22)}.0` }
  const lines = [header, { collection: '../../etc/cron.d/x', doc: { id: 'a' } }]
  writeFileSync(dump, lines.map((line) => `${JSON.stringify(line)}\n`).join(''), { mode: 0o600 })
  const config = parseDataConfig({ dataDirectory: join(folder.path, 'data'), witness: false }, undefined, {})
  expect(await reasonOf(loadFromFile({ config, from: dump, log: silentLog }))).toBe('bad_input')
  expect(() => readFileSync(join(folder.path, 'data', 'credence.db'))).toThrow('ENOENT')
})
