import { deepFreeze } from '../../lib/deep-freeze.js'
import { newListeners } from '../../lib/listeners.js'
import { Block } from '../../protocol/log/entry.js'
import type { LogPort } from '../storage.js'
import type { Cell, Database } from './database.js'
import type { GroupCommit } from './group-commit.js'

/** Stores the blocks by number and records which block contains which entry. Only this process writes, so the head is cached. */
export function newLog(db: Database, commits: GroupCommit): LogPort {
  const listeners = newListeners()
  let head = blockIn(db.one('SELECT block FROM log_blocks ORDER BY n DESC LIMIT 1'))

  const insert = (block: Block, text: string): boolean => {
    const last = db.one('SELECT max(n) AS n FROM log_blocks')?.n ?? null
    if (last !== null && block.n <= Number(last)) return false
    if (last !== null && block.n !== Number(last) + 1)
      throw new Error(`block ${block.n} does not follow block ${String(last)}, the newest one`)
    db.run('INSERT INTO log_blocks (n, first, block) VALUES (?, ?, ?)', block.n, block.first, text)
    // Readers of the log ignore a repeated entry id (ARCHITECTURE.md, trust log), so the first block that contains an id counts
    for (const entry of block.entries) db.run('INSERT OR IGNORE INTO log_entries (id, n) VALUES (?, ?)', entry.id, block.n)
    return true
  }

  return {
    append: async (given) => {
      const block = deepFreeze(Block.parse(given))
      const text = JSON.stringify(block)
      const isAppended = await commits.write(() => {
        const answer = insert(block, text)
        const durable = () => {
          head = block
          listeners.notify()
        }
        return { keep: answer, answer, durable }
      })
      return isAppended ? 'appended' : 'taken'
    },
    read: (from, limit) =>
      commits.read(() => db.all('SELECT block FROM log_blocks WHERE n >= ? ORDER BY n LIMIT ?', from, limit).map(parsedBlock)),
    head: () => commits.read(() => head),
    // The head is cached, so a batch would save nothing
    awaitBatch: async () => undefined,
    has: (entry) =>
      commits.read(() => {
        const n = db.one('SELECT n FROM log_entries WHERE id = ?', entry)?.n
        return n === undefined ? undefined : Number(n)
      }),
    blockOf: (seq) =>
      commits.read(() => {
        const block = blockIn(db.one('SELECT block FROM log_blocks WHERE first <= ? ORDER BY first DESC, n DESC LIMIT 1', seq))
        return block !== undefined && seq < block.first + block.entries.length ? block : undefined
      }),
    onAppend: listeners.add,
  }
}

const blockIn = (row: { readonly block?: Cell } | undefined): Block | undefined => (row?.block === undefined ? undefined : parsedBlock(row))

/** `append` validated the block before it wrote it. */
const parsedBlock = (row: { readonly block?: Cell }): Block => deepFreeze(JSON.parse(String(row.block)) as Block)
