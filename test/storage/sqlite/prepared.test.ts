// A statement stays prepared for as long as the file is open, so its text must not depend on what a stranger sends.
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newCardSearch } from '../../../src/storage/sqlite/card-search.js'
import { type Database, openDatabase } from '../../../src/storage/sqlite/database.js'
import { newGroupCommit } from '../../../src/storage/sqlite/group-commit.js'
import { openSqlite } from '../../../src/storage/sqlite/open.js'
import { setClock } from '../../set-clock.js'
import { aRow, fill } from '../contract/cards.js'
import { tempFolder } from '../open-store.js'

test('searches whose filters have other numbers of values use the same statements', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'credence.db')
  const storage = await openSqlite({ file, clock: setClock() })
  await fill(storage, [aRow('weather', { properties: { tag: ['rain'] } })])
  await storage.close()
  const opened = openDatabase(file)
  const statements = new Set<string>()
  const db: Database = Object.assign(Object.create(opened), {
    all: (sql: string, ...cells: Parameters<Database['all']>[1][]) => {
      statements.add(sql)
      return opened.all(sql, ...cells)
    },
  })
  const cards = newCardSearch(db, newGroupCommit(db, {}), () => undefined)
  const searchWith = async (count: number) => {
    const filters = (['tag', 'skill'] as const).map((property, i) => ({
      property,
      anyOf: Array.from({ length: count + i }, (_, value) => `${property} ${value}`),
    }))
    for (const text of ['weather', undefined])
      await cards.search({ ...(text !== undefined && { text }), filters, tier: 'public', limit: 10 })
    return statements.size
  }
  const before = await searchWith(1)
  expect(before).toBeGreaterThan(0)
  for (let count = 1; count <= 16; count++) expect(await searchWith(count)).toBe(before)
  opened.close()
})
