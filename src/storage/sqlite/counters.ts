import { type Database, textCell } from './database.js'

/** Sums that never exceed a limit. A counter expires at the time that its first addition gave. */
export interface Counters {
  /** Returns the new sum. If it would exceed `limit`, adds nothing and returns undefined. Call it in a transaction. */
  add(count: { readonly key: string; readonly by: number; readonly limit: number; readonly expiresAt: number }): number | undefined
  /** Removes at most `limit` expired counters and returns how many it removed. */
  purge(now: number, limit: number): number
}

export function newCounters(db: Database, now: () => number): Counters {
  return {
    add: ({ key, by, limit, expiresAt }) => {
      if (!Number.isFinite(by) || !Number.isFinite(expiresAt)) throw new Error('a counter needs a finite amount and a finite expiry')
      const row = db.one('SELECT sum, expires FROM counters WHERE key = ?', textCell(key))
      const live = row !== undefined && Number(row.expires) > now() ? row : undefined
      const sum = Number(live?.sum ?? 0) + by
      if (by > 0 && !(sum <= limit)) return undefined
      if (by === 0) return sum
      db.run('INSERT OR REPLACE INTO counters (key, sum, expires) VALUES (?, ?, ?)', textCell(key), sum, Number(live?.expires ?? expiresAt))
      return sum
    },
    purge: (now, limit) =>
      limit <= 0
        ? 0
        : db.run('DELETE FROM counters WHERE key IN (SELECT key FROM counters WHERE expires <= ? ORDER BY expires LIMIT ?)', now, limit),
  }
}
