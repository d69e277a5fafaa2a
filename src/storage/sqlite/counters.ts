import { type Database, textCell } from './database.js'

/** Counters: a sum that never passes a limit, forgotten at the expiry that its first addition gave. */
export interface Counters {
  /** In a transaction. The sum, or undefined (and nothing added) where it would pass `limit`. */
  add(count: { readonly key: string; readonly by: number; readonly limit: number; readonly expiresAt: number }): number | undefined
  purge(now: number, limit: number): number
}

export function newCounters(db: Database, now: () => number): Counters {
  return {
    add: ({ key, by, limit, expiresAt }) => {
      if (!Number.isFinite(by) || !Number.isFinite(expiresAt)) throw new Error('a counter adds finite numbers')
      const row = db.one('SELECT sum, expires FROM counters WHERE key = ?', textCell(key))
      const there = row !== undefined && Number(row.expires) > now() ? row : undefined
      const sum = Number(there?.sum ?? 0) + by
      if (by > 0 && !(sum <= limit)) return undefined
      if (by === 0) return sum
      db.run(
        'INSERT OR REPLACE INTO counters (key, sum, expires) VALUES (?, ?, ?)',
        textCell(key),
        sum,
        Number(there?.expires ?? expiresAt),
      )
      return sum
    },
    purge: (now, limit) =>
      limit <= 0
        ? 0
        : db.run('DELETE FROM counters WHERE key IN (SELECT key FROM counters WHERE expires <= ? ORDER BY expires LIMIT ?)', now, limit),
  }
}
