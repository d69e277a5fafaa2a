// What decisions read again and again, kept in memory. A record that decisions read is never edited, so what was kept can be stale in two
// ways only: a handle that it names has ended, or the log tells of a change that ends nothing (a key or an introduction more, a retired key).
// Both are asked of the log as it is applied here: a reader after a read barrier sees what any instance acknowledged before.
// An ended version is forgotten in time, and would seem to stand again: so nothing is kept for that long.
// Cost: at most MAX_KEPT values for each memory; a change of its kind empties it.
import { deepFreeze } from '../../lib/deep-freeze.js'
import type { Handle } from '../../protocol/handles.js'
import { VERSION_HORIZON_SECONDS } from '../../protocol/log/ended-set.js'
import { ENTRY_TYPES, type Entry } from '../../protocol/log/entry.js'
import { stands } from '../../protocol/standing.js'
import type { TrustLog } from '../trust-log.js'

export interface CacheableRead<T> {
  readonly value: T
  /** What the value names: it is kept while all of these stand. */
  readonly dependsOn: readonly Handle[]
  /** False while something waits beside what was read: it is revealed without a further word of the log. */
  readonly isWhole: boolean
}

export interface Cache<T> {
  /** What was read, or is read now; asked behind a fence. Absence is never kept. Who decides still checks all handles. */
  getOrRead(key: string, read: () => Promise<CacheableRead<T> | undefined>): Promise<T | undefined>
}

const MAX_KEPT = 10_000
/** Since it was read, by the later of clock and log time. Half of the time after which an ending may be forgotten: clocks differ. */
const KEPT_SECONDS = VERSION_HORIZON_SECONDS / 2
/** What an entry of a newer build changes is not known here: it may be anything. */
const KNOWN_TYPES = new Set<string>(ENTRY_TYPES)

/** `isChange` is true for every entry that may change what is kept without ending a handle that it names. */
export function newCache<T>(trustLog: Pick<TrustLog, 'ended' | 'now' | 'onApplied'>, isChange: (entry: Entry) => boolean): Cache<T> {
  const kept = new Map<string, Kept<T>>()
  let changes = 0
  trustLog.onApplied(({ entries }) => {
    if (!entries.some((entry) => entry.type === 'epoch.started' || !KNOWN_TYPES.has(entry.type) || isChange(entry))) return
    changes++
    kept.clear()
  })

  return {
    getOrRead: async (key, read) => {
      const known = kept.get(key)
      kept.delete(key)
      // A clock that was set back tells no age
      if (known && Math.abs(trustLog.now() - known.at) < KEPT_SECONDS && stands(trustLog.ended, known.dependsOn)) {
        // The last used is the last to go.
        kept.set(key, known)
        return known.value
      }
      const [before, at] = [changes, trustLog.now()]
      const reading = await read()
      // What was applied while it was read may not be in it.
      if (reading?.isWhole && changes === before && stands(trustLog.ended, reading.dependsOn)) keep(kept, key, { ...reading, at })
      return reading?.value
    },
  }
}

interface Kept<T> extends CacheableRead<T> {
  readonly at: number
}

function keep<T>(kept: Map<string, Kept<T>>, key: string, reading: Kept<T>): void {
  kept.set(key, deepFreeze(reading))
  const oldest = kept.size > MAX_KEPT ? kept.keys().next().value : undefined
  if (oldest !== undefined) kept.delete(oldest)
}

/** True where the entry begins a handle of this kind. */
export const begins = ({ begins = [] }: Entry, kind: 'key' | 'int'): boolean => begins.some((handle) => handle.startsWith(`${kind}:`))
