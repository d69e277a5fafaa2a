// Quotas on rows. Rows are counted before a creation and not in its commit, so a quota is approximate.
//
// Algorithm. An instance counts the rows of a key and may then create as many as its share of what is free, without counting again. When the
// share is used up it counts again; when nothing is free, at most every RECOUNT_MS.
//
// Limits. Creations at the same moment, and instances that start later, may exceed a quota; rows that ended are noticed after RECOUNT_MS at most.
import { refuse } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'
import type { Cursor, Page } from '../../storage/storage.js'
import { NO_LIMIT } from './limits.js'

const RECOUNT_MS = 10_000
/** Past this number of keys, the one that was counted first is dropped. */
const MAX_KEYS = 16_384

/** Refuses a creation past the limit, or counts one for `key`. */
type RequireRoom<K extends string> = (key: K, limit: number) => Promise<void>

interface QuotaDeps<K extends string> {
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly liveInstances: () => number
  /** Counts the rows of a key; may stop at `atMost`. */
  readonly count: (key: K, atMost: number) => Promise<number>
  /** What is counted, for the refusal. */
  readonly rows: string
}

export function newQuota<K extends string>({ clock, liveInstances, count, rows }: QuotaDeps<K>): RequireRoom<K> {
  const counted = new Map<K, { free: number; readonly isFull: boolean; readonly limit: number; readonly atMs: number }>()
  const recount = async (key: K, limit: number) => {
    const atMs = clock.monotonicMs()
    const free = limit - (await count(key, limit))
    const isFull = free <= 0
    const entry = { free: isFull ? 0 : Math.max(1, Math.floor(free / liveInstances())), isFull, limit, atMs }
    counted.delete(key)
    counted.set(key, entry)
    const [first] = counted.keys()
    if (counted.size > MAX_KEYS && first !== undefined) counted.delete(first)
    return entry
  }
  return async (key, limit) => {
    if (limit === NO_LIMIT) return
    const known = counted.get(key)
    const isCurrent = known?.limit === limit && (known.free > 0 || (known.isFull && clock.monotonicMs() - known.atMs < RECOUNT_MS))
    const entry = known && isCurrent ? known : await recount(key, limit)
    if (entry.isFull) refuse('conflict', `the maximum of ${limit} ${rows} is reached (see limits.get)`)
    entry.free--
  }
}

/** Counts rows page by page, newest first, until there are `atMost` of them. Reads at most twice as many rows, so older ones may be missed. */
export async function countNewest<D extends object>(
  readPage: (after?: Cursor) => Promise<Page<D>>,
  isCounted: (row: D) => boolean,
  atMost: number,
): Promise<number> {
  let [found, read] = [0, 0]
  for (let after: Cursor | undefined; ; ) {
    const { items, next }: Page<D> = await readPage(after)
    found += items.filter(isCounted).length
    read += items.length
    if (next === undefined || found >= atMost || read >= 2 * atMost) return Math.min(found, atMost)
    after = next
  }
}
