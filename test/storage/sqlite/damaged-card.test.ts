import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { DatabaseSync } from '@photostructure/sqlite'
import { expect, test } from 'vitest'
import { openSqlite } from '../../../src/storage/sqlite/open.js'
import { setClock } from '../../set-clock.js'
import { tempFolder } from '../open-store.js'

const FIXTURE = resolve(import.meta.dirname, '../fixtures/format-6.db.gz')

test('a search leaves out a card whose row is damaged, and reports it', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'credence.db')
  writeFileSync(file, gunzipSync(readFileSync(FIXTURE)), { mode: 0o600 })
  const query = { text: 'scanned documents', filters: [], tier: 'public', limit: 10 } as const
  const intact = await openSqlite({ file, clock: setClock() })
  const [hit] = (await intact.cards.search(query)).hits
  await intact.close()
  expect(hit).toBeDefined()
  const db = new DatabaseSync(file)
  db.exec("UPDATE card_summaries SET summary = '{'")
  db.close()
  const damage: string[] = []
  const damaged = await openSqlite({ file, clock: setClock(), onDamage: (text) => damage.push(text) })
  expect((await damaged.cards.search(query)).hits).toEqual([])
  expect(await damaged.cards.summaries('public', [hit?.cardId ?? ''])).toEqual(new Map())
  expect(damage[0]).toBe(`the search row of card ${hit?.cardId} is damaged: it is no JSON`)
  await damaged.close()
})
