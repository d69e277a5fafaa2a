import { deepFreeze } from '../../lib/deep-freeze.js'
import { newListeners } from '../../lib/listeners.js'
import { Block } from '../../protocol/log/entry.js'
import { entryTextsOf, storedBlockOf, textOfBlock } from '../block-text.js'
import { latestHorizon } from '../latest-horizon.js'
import type { Group, GroupResult, LogPort } from '../storage.js'
import { type Database, inSavepoint, type Row } from './database.js'
import type { GroupCommit } from './group-commit.js'

/** Validates the operations. The function that it returns does them inside a transaction, and returns the index of the first that failed, or −1. */
export type PrepareGroup = (operations: Group) => () => number

/** Stores the blocks by number and records which block contains which entry. Only this process writes, so the head is cached. */
export function newLog(db: Database, commits: GroupCommit, prepare: PrepareGroup): LogPort {
  const listeners = newListeners<Block | undefined>()
  let head: Block | undefined
  const readHead = () => {
    head ??= blockIn(db.one('SELECT n, block FROM log_blocks ORDER BY n DESC LIMIT 1'))
    return head
  }

  const isFree = (n: number): boolean => {
    const last = db.one('SELECT max(n) AS n FROM log_blocks')?.n ?? null
    if (last !== null && n <= Number(last)) return false
    if (last !== null && n !== Number(last) + 1) throw new Error(`block ${n} does not follow block ${String(last)}, the newest one`)
    return true
  }
  const insert = (block: Block): void => {
    const values = [block.n, block.first, latestHorizon(block) ?? null, textOfBlock(block)]
    db.run('INSERT INTO log_blocks (n, first, until, block) VALUES (?, ?, ?, ?)', ...values)
    // Of several entries with one id, the first counts
    for (const entry of block.entries) db.run('INSERT OR IGNORE INTO log_entries (id, n) VALUES (?, ?)', entry.id, block.n)
  }

  return {
    append: async ({ n, groups, blockOf }) => {
      const work = groups.map((operations) => attempt(() => prepare(operations)))
      return commits.write<readonly GroupResult[] | 'taken'>(() => {
        if (!isFree(n)) return { keep: false, result: 'taken' }
        const results = work.map((prepared) => ('value' in prepared ? doGroup(db, prepared.value) : prepared))
        const done = [...results.keys()].filter((i) => results[i]?.ok)
        if (done.length === 0) return { keep: false, result: results }
        const block = deepFreeze(Block.parse(blockOf(done)))
        insert(block)
        const durable = () => {
          head = block
          listeners.notify(block)
        }
        return { keep: true, result: results, durable }
      })
    },
    read: (from, limit) =>
      commits.read(() => db.all('SELECT n, block FROM log_blocks WHERE n >= ? ORDER BY n LIMIT ?', from, limit).map(parsedBlock)),
    head: () => commits.read(readHead),
    // The head is cached, so a batch would save nothing
    awaitBatch: async () => undefined,
    has: (entry) =>
      commits.read(() => {
        const n = db.one('SELECT n FROM log_entries WHERE id = ?', entry)?.n
        return n === undefined ? undefined : Number(n)
      }),
    ending: (since, limit, after = [since, -1]) =>
      commits.read(() => {
        const rows = db.all(
          'SELECT n, until, block FROM log_blocks INDEXED BY log_blocks_until WHERE until >= ? AND (until, n) > (?, ?) ORDER BY until, n LIMIT ?',
          since,
          ...after,
          limit,
        )
        const last = rows.length === limit ? rows.at(-1) : undefined
        return { blocks: rows.map(parsedBlock), ...(last && { next: [Number(last.until), Number(last.n)] as const }) }
      }),
    blockOf: (seq) =>
      commits.read(() => {
        const block = blockIn(db.one('SELECT n, block FROM log_blocks WHERE first <= ? ORDER BY first DESC, n DESC LIMIT 1', seq))
        return block !== undefined && seq < block.first + block.entries.length ? block : undefined
      }),
    entryTexts: (seq, limit) =>
      commits.read(() => {
        const rows = db.all(
          'SELECT first, CAST(block AS BLOB) AS block FROM log_blocks WHERE n >= (SELECT n FROM log_blocks WHERE first <= ? ORDER BY first DESC, n DESC LIMIT 1) ORDER BY n LIMIT ?',
          seq,
          limit,
        )
        return rows.flatMap(({ first, block }) =>
          block instanceof Uint8Array ? entryTextsOf(block).slice(Math.max(0, seq - Number(first))) : [],
        )
      }),
    onAppend: listeners.add,
  }
}

const attempt = <T>(work: () => T): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown } => {
  try {
    return { ok: true, value: work() }
  } catch (error) {
    return { ok: false, error }
  }
}

/** Does the work of a group; if it fails, undoes what it has written. */
function doGroup(db: Database, work: () => number): GroupResult {
  const worked = attempt(() => inSavepoint(db, work, (failed) => failed < 0))
  // After a failure of the disk SQLite has ended the transaction by itself
  if (!worked.ok && !db.inTransaction) throw worked.error
  if (!worked.ok) return worked
  return worked.value < 0 ? { ok: true } : { ok: false, failed: worked.value }
}

const blockIn = (row: Row | undefined): Block | undefined => (row === undefined ? undefined : parsedBlock(row))

const parsedBlock = ({ n, block }: Row): Block => storedBlockOf(String(block), Number(n))
