import { chmod, copyFile, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { openSqlite } from '../../../src/storage/sqlite/open.js'
import { spawnNode } from '../../child.mjs'
import { setClock } from '../../set-clock.js'
import { THINGS, thingsOf } from '../contract/things.js'
import { openStore, tempFolder } from '../open-store.js'

const reopen = (file: string) => openSqlite({ file, clock: setClock() })

/** Opens the file in another process and begins a write transaction. Returns `in`, or the error of SQLite. */
async function fromAnotherProcess(file: string): Promise<string> {
  const script = `
    const { DatabaseSync } = require('@photostructure/sqlite')
    try { const db = new DatabaseSync(process.argv[1]); db.exec('BEGIN IMMEDIATE'); process.stdout.write('in') }
    catch (error) { process.stdout.write(error.message) }`
  const child = spawnNode(['-e', script, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  for await (const chunk of child.stdout) output += String(chunk)
  return output
}

describe('openSqlite', () => {
  test('a store that was closed can be opened again and contains its data', async () => {
    await using store = await openStore()
    await thingsOf(store.storage).insert({ id: 'a', group: 'g', rank: 1 })
    await store.storage.close()
    const again = await reopen(store.file)
    expect(await thingsOf(again).find('group', { where: { group: 'g' }, limit: 5 })).toEqual({ items: [{ id: 'a', group: 'g', rank: 1 }] })
    await again.close()
  })

  test('a second attempt to open the file is refused in this and in another process, and does not release the lock', async () => {
    await using store = await openStore()
    await expect(reopen(store.file)).rejects.toThrow('in use by another process')
    const link = `${store.file}-link`
    await symlink(store.file, link)
    await expect(reopen(link)).rejects.toThrow('in use by another process')
    expect(await fromAnotherProcess(store.file)).toBe('database is locked')
    expect(await thingsOf(store.storage).insert({ id: 'a', group: 'g' })).toBe('inserted')
    await store.storage.close()
    expect(await fromAnotherProcess(store.file)).toBe('in')
  })

  test('a store that was opened and is idle holds the lock', async () => {
    await using store = await openStore()
    await store.storage.close()
    const idle = await reopen(store.file)
    expect(await fromAnotherProcess(store.file)).toBe('database is locked')
    await idle.close()
  })

  test('only the owner may read the file and its write-ahead log', async () => {
    await using store = await openStore()
    await thingsOf(store.storage).insert({ id: 'a', group: 'g' })
    for (const file of [store.file, `${store.file}-wal`]) expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  test.each([0o644, 0o666])('a restored file and its write-ahead log with mode %o are private before they are opened', async (mode) => {
    await using store = await openStore()
    await thingsOf(store.storage).insert({ id: 'a', group: 'g' })
    await using folder = await tempFolder()
    const file = join(folder.path, 'restored.db')
    for (const suffix of ['', '-wal']) {
      await copyFile(`${store.file}${suffix}`, `${file}${suffix}`)
      await chmod(`${file}${suffix}`, mode)
    }
    const restored = await reopen(file)
    expect(await thingsOf(restored).get('a')).toBeDefined()
    for (const name of [file, `${file}-wal`]) expect((await stat(name)).mode & 0o777).toBe(0o600)
    await restored.close()
  })

  test('a shared file of another user is not opened', async () => {
    await using folder = await tempFolder()
    const file = join(folder.path, 'restored.db')
    await (await reopen(file)).close()
    await chmod(file, 0o644)
    const getuid = vi.spyOn(process, 'getuid').mockReturnValue((process.getuid?.() ?? 0) + 1)
    await expect(reopen(file)).rejects.toThrow(`chmod 600 ${file}`)
    getuid.mockRestore()
  })

  test('an acknowledged write is in the write-ahead log', async () => {
    await using store = await openStore()
    await thingsOf(store.storage).insert({ id: 'in-the-log', group: 'g' })
    expect((await readFile(`${store.file}-wal`)).includes('in-the-log')).toBe(true)
  })

  test('a file that is not a database, belongs to another program, is damaged, or has another format is refused', async () => {
    await using folder = await tempFolder()
    const named = (name: string) => join(folder.path, name)
    await writeFile(named('text.db'), 'only text '.repeat(1000))
    await expect(reopen(named('text.db'))).rejects.toThrow('is not a Credence database')
    expect(await readFile(named('text.db'), 'utf8')).toBe('only text '.repeat(1000))

    const foreign = new DatabaseSync(named('foreign.db'))
    foreign.exec('CREATE TABLE theirs (a)')
    foreign.close()
    await expect(reopen(named('foreign.db'))).rejects.toThrow('is not a Credence database')

    const store = await reopen(named('mine.db'))
    const things = thingsOf(store)
    for (let i = 0; i < 200; i++) await things.insert({ id: `t${i}`, group: 'g' })
    await store.close()
    for (const [format, age] of [
      [99, 'a newer'],
      [2, 'an older'],
    ] as const) {
      await copyFile(named('mine.db'), named(`${format}.db`))
      const other = new DatabaseSync(named(`${format}.db`))
      other.exec(`PRAGMA user_version = ${format}`)
      other.close()
      await expect(reopen(named(`${format}.db`))).rejects.toThrow(`was written by ${age} release of Credence (format ${format}`)
    }

    await copyFile(named('mine.db'), named('short.db'))
    await truncate(named('short.db'), 20_000)
    await expect(reopen(named('short.db'))).rejects.toThrow('is damaged')
    const bytes = await readFile(named('mine.db'))
    bytes.fill(0x5a, 9_000, bytes.length - 4096)
    await writeFile(named('scribbled.db'), bytes)
    await expect(reopen(named('scribbled.db'))).rejects.toThrow('is damaged')
    await rm(named('scribbled.db'))
  })

  test.each(['', ':memory:'])('%j is refused as the path of the file', async (file) => {
    await expect(reopen(file)).rejects.toThrow('needs the path of a file')
  })

  test('a new index of a collection is built over the existing documents, and a removed one is dropped', async () => {
    await using store = await openStore()
    for (let i = 0; i < 1200; i++) void thingsOf(store.storage).insert({ id: `t${i}`, group: 'g', rank: i, state: i % 2 ? 'odd' : 'even' })
    await store.storage.close()
    const later = await reopen(store.file)
    const things = later.collection({ ...THINGS, indexes: { parity: { fields: ['state', 'rank'] } } })
    const page = await things.find('parity', { where: { state: 'odd' }, limit: 1000 })
    expect([page.items.length, page.items.at(-1)?.id]).toEqual([600, 't1199'])
    await expect(things.find('group', { where: { group: 'g' }, limit: 1 })).rejects.toThrow('no index')
    await later.close()
  })

  test('an index cannot become unique if documents have equal values in it, and nothing changes', async () => {
    await using store = await openStore()
    for (const id of ['a', 'b']) await thingsOf(store.storage).insert({ id, group: 'g' })
    await store.storage.close()
    const later = await reopen(store.file)
    expect(() => later.collection({ ...THINGS, indexes: { group: { fields: ['group'], unique: true } } })).toThrow('unique')
    expect((await thingsOf(later).find('group', { where: { group: 'g' }, limit: 5 })).items).toHaveLength(2)
    await later.close()
  })

  test('a collection name with SQL syntax is refused, and a collection may have the name of an internal table', async () => {
    await using store = await openStore()
    const spec = { schema: z.strictObject({ id: z.string() }), key: 'id' as const, indexes: {} }
    expect(() => store.storage.collection({ ...spec, name: 'a"; DROP TABLE collections; --' })).toThrow('not a valid table name')
    expect(await store.storage.collection({ ...spec, name: 'counters' }).insert({ id: 'a' })).toBe('inserted')
    expect(await store.storage.count('a', 1, 1, 2_000_000_000)).toBe(1)
  })
})
