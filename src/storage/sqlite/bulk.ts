import type { BulkPage, BulkReader, StoredDocument } from '../bulk.js'
import { type Cell, type Database, quoted, type Row, scalarOf, textCell } from './database.js'
import type { GroupCommit } from './group-commit.js'

/** Bulk access to the database file. */
export function newBulkReader(db: Database, commits: GroupCommit): BulkReader {
  return {
    collections: () => commits.read(() => db.all('SELECT name FROM collections ORDER BY name').map(({ name }) => String(name))),
    documents: (spec, page) =>
      commits.read(() => {
        const { sql, cells } = pageOf(page)
        return db.all(`SELECT key, doc FROM ${quoted('docs', spec.name)} ${sql}`, ...cells).map(storedDocument)
      }),
    counters: (page) =>
      commits.read(() => {
        const { sql, cells } = pageOf(page)
        return db
          .all(`SELECT key, sum, expires FROM counters ${sql}`, ...cells)
          .map(({ key, sum, expires }) => ({ key: String(scalarOf(key ?? null)), sum: Number(sum), expiresAt: Number(expires) }))
      }),
  }
}

const storedDocument = ({ key, doc }: Row): StoredDocument => ({ key: String(scalarOf(key ?? null)), text: String(doc) })

function pageOf({ after, limit, now }: BulkPage): { readonly sql: string; readonly cells: readonly Cell[] } {
  const afterKey = after === undefined ? '' : 'AND key > ?'
  return {
    sql: `WHERE (expires IS NULL OR expires > ?) ${afterKey} ORDER BY key LIMIT ?`,
    cells: [now, ...(after === undefined ? [] : [textCell(after)]), limit],
  }
}
