import type { BulkAccess, StoredDocument, StoredPage } from '../bulk.js'
import type { Fields } from '../document.js'
import type { Doc, Spec } from '../storage.js'
import { type Cell, type Database, quoted, type Row, scalarOf, textCell } from './database.js'
import type { GroupCommit } from './group-commit.js'

/** The file as a whole. */
export function newBulkAccess(db: Database, commits: GroupCommit): BulkAccess {
  return {
    collections: () => commits.read(() => db.all('SELECT name FROM collections ORDER BY name').map(({ name }) => String(name))),
    documents: (spec, page) =>
      commits.read(() => {
        const { sql, cells } = pageOf(page)
        return db.all(`SELECT doc FROM ${quoted('docs', spec.name)} ${sql}`, ...cells).map((row) => held(spec, row))
      }),
    documentsOf: (spec, keys) =>
      commits.read(() =>
        keys.flatMap((key) => {
          const row = db.one(`SELECT doc FROM ${quoted('docs', spec.name)} WHERE key = ?`, textCell(key))
          return row === undefined ? [] : [held(spec, row)]
        }),
      ),
    counters: (page) =>
      commits.read(() => {
        const { sql, cells } = pageOf(page)
        return db
          .all(`SELECT key, sum, expires FROM counters ${sql}`, ...cells)
          .map(({ key, sum, expires }) => ({ key: String(scalarOf(key ?? null)), sum: Number(sum), expiresAt: Number(expires) }))
      }),
  }
}

function held(spec: Spec<Doc>, { doc }: Row): StoredDocument {
  const text = String(doc)
  return { key: String((JSON.parse(text) as Fields)[spec.key]), text } // written after the schema had passed it
}

function pageOf({ after, limit, now }: StoredPage): { readonly sql: string; readonly cells: readonly Cell[] } {
  const place = after === undefined ? '' : 'AND key > ?'
  return {
    sql: `WHERE (expires IS NULL OR expires > ?) ${place} ORDER BY key LIMIT ?`,
    cells: [now, ...(after === undefined ? [] : [textCell(after)]), limit],
  }
}
