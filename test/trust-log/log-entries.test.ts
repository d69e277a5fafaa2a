import { copyFileSync } from 'node:fs'
import { DatabaseSync } from '@photostructure/sqlite'
import { expect, test } from 'vitest'
import { canonical } from '../../src/credentials/jose/canonical-json.js'
import { MAX_ENDINGS } from '../../src/protocol/log/entry.js'
import { openSqlite } from '../../src/storage/sqlite/open.js'
import type { ServedTrustLog } from '../../src/trust-log/trust-log.js'
import { aHandle, end, openLogs } from './open-logs.js'

const textsOf = async (log: ServedTrustLog, seq: number, limit: number) =>
  (await log.entryTexts(seq, limit)).map((text) => new TextDecoder().decode(text))

test('entries from a number on are read across blocks, at most as many as requested', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  for (let i = 0; i < 20; i++) await end(log, aHandle())
  await Promise.all(Array.from({ length: 50 }, () => end(log, aHandle())))
  const all = (await logs.storage.log.read(0, 1000)).flatMap(({ entries }) => entries)
  for (const [seq, limit] of [
    [0, 1000],
    [0, 1],
    [3, 30],
    [70, 5],
    [71, 5],
    [5, 0],
  ] as const) {
    expect(await log.entries(seq, limit)).toEqual(all.slice(seq, seq + limit))
    expect(await textsOf(log, seq, limit)).toEqual(all.slice(seq, seq + limit).map(canonical))
  }
})

test('entries of blocks that this instance has not applied are left out', async () => {
  await using logs = await openLogs()
  const [writer, reader] = [await logs.open(), await logs.open({ gate: withoutNotifications })]
  await reader.readBarrier()
  const last = Number(reader.position.split('.').at(-1))
  await end(writer, aHandle())
  expect(await reader.entries(last, 10)).toHaveLength(1)
  await reader.readBarrier()
  expect(await reader.entries(last, 10)).toHaveLength(2)
})
const withoutNotifications = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
  if (name === 'log.notify') throw new Error('the notification is lost')
  return work()
}

test('large entries are read in pages of about a megabyte, without reading many blocks beyond a page', async () => {
  await using logs = await openLogs()
  const writer = await logs.open()
  for (let i = 0; i < 8; i++) await end(writer, ...Array.from({ length: MAX_ENDINGS }, () => aHandle()))
  const { log, reads } = await openCounting(logs)
  const lengths: number[] = []
  for (let seq = 1; seq <= 8; seq += lengths.at(-1) ?? 8) lengths.push((await log.entries(seq, 1000)).length)
  expect(lengths).toEqual([3, 3, 2])
  expect(reads.reduce((sum, blocks) => sum + blocks, 0)).toBeLessThan(16)
})

test('a page that has room for one more large block reads one more block', async () => {
  await using logs = await openLogs()
  const writer = await logs.open()
  for (let i = 0; i < 6; i++) await endWithHorizons(writer)
  const { log, reads } = await openCounting(logs)
  expect(await log.entries(1, 1000)).toHaveLength(2)
  expect(reads).toEqual([1, 1])
})
/** Appends an entry of about 600 kB. */
const endWithHorizons = (log: ServedTrustLog) =>
  end(log, ...Array.from({ length: MAX_ENDINGS }, () => ({ handle: aHandle(), horizon: 2_000_000_000 })))

test('small blocks after a block that nearly fills the page take few reads', async () => {
  await using logs = await openLogs()
  const writer = await logs.open()
  // Both share a block of 1.0 MB
  await Promise.all([endWithHorizons(writer), end(writer, ...Array.from({ length: MAX_ENDINGS }, () => aHandle()))])
  for (let i = 0; i < 60; i++) await end(writer, aHandle())
  const { log, reads } = await openCounting(logs)
  expect(await log.entries(1, 1000)).toHaveLength(62)
  expect(reads).toEqual([1, 1, 2, 4, 8, 16, 32])
})

test.each([
  ['a block that is gone', 'DELETE FROM log_blocks WHERE n = 3', 3],
  ['a block that lacks an entry', `UPDATE log_blocks SET block = replace(block, char(10) || '{', '{') WHERE n = 3`, 3],
  ['a block whose last line has no end', `UPDATE log_blocks SET block = replace(block, char(10) || ']}', ']}') WHERE n = 3`, 3],
  ['a newest block whose last line has no end', `UPDATE log_blocks SET block = replace(block, char(10) || ']}', ']}') WHERE n = 6`, 6],
  ['an entry that is no JSON', `UPDATE log_blocks SET block = replace(block, '"seq"', 'seq') WHERE n = 3`, 3],
])('%s is found when entries are read, so that no subscriber passes over a revocation', async (_, sql, seq) => {
  await using logs = await openLogs()
  const writer = await logs.open()
  for (let i = 0; i < 6; i++) await end(writer, aHandle())
  // The file is locked, so a copy stands for what its disk returns later
  const copy = `${logs.file}.damaged`
  for (const suffix of ['', '-wal']) copyFileSync(logs.file + suffix, copy + suffix)
  const db = new DatabaseSync(copy)
  db.exec(sql)
  db.close()
  const damaged = await openSqlite({ file: copy, clock: logs.clock })
  const log = await logs.open({ storage: { ...logs.storage, log: { ...logs.storage.log, entryTexts: damaged.log.entryTexts } } })
  await expect(log.entries(1, 1000)).rejects.toThrow(new RegExp(`entry ${seq} of the log is (missing|damaged)`))
  await damaged.close()
})

/** Opens the log, and records the number of blocks of each read. */
async function openCounting(logs: Awaited<ReturnType<typeof openLogs>>) {
  const reads: number[] = []
  const { log: port } = logs.storage
  const entryTexts = async (seq: number, limit: number) => {
    reads.push(limit)
    return port.entryTexts(seq, limit)
  }
  return { reads, log: await logs.open({ storage: { ...logs.storage, log: { ...port, entryTexts } } }) }
}
