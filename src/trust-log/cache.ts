// Caches records that decisions read often. Such a record is never edited in place, so a cached one can be stale for two reasons only: a handle
// that it depends on has ended, or the log has an entry that changes it without ending a handle (a new key or introduction, a retired key).
// The cache learns of both when the log is applied, so a reader after a read barrier sees everything that any instance acknowledged before.
// The ended set forgets an ended version in time, and the version would then seem valid again. So no value is cached for that long.
// Cost: at most MAX_CACHED values per cache; past that, the least recently used one is evicted. An entry that may change a value empties it.
import { BoundedMap } from '../lib/bounded-map.js'
import { deepFreeze } from '../lib/deep-freeze.js'
import type { Handle } from '../protocol/handles.js'
import { VERSION_HORIZON_SECONDS } from '../protocol/log/ended-set.js'
import { ENTRY_TYPES, type Entry } from '../protocol/log/entry.js'
import { stands } from '../protocol/standing.js'
import type { TrustLog } from './trust-log.js'

export interface CacheableRead<T> {
  readonly value: T
  /** The value is cached as long as none of these handles has ended. */
  readonly dependsOn: readonly Handle[]
  /** The value is read again from this time on (epoch seconds). */
  readonly expiresAt?: number | undefined
}

export interface Cache<T> {
  /** Returns the cached value, or reads it. To be called after a read barrier. Absence is not cached. The decision still checks all handles. */
  getOrRead(key: string, read: () => Promise<CacheableRead<T> | undefined>): Promise<T | undefined>
}

const MAX_CACHED = 10_000
/**
 * Maximum age of a value, by the later of clock and log time. Half of the time after which an ending may be forgotten, because clocks differ.
 */
const MAX_AGE_SECONDS = VERSION_HORIZON_SECONDS / 2
/** An entry of a type that only a newer build knows may change anything, so it empties the cache. */
const KNOWN_TYPES = new Set<string>(ENTRY_TYPES)

/** `isChange` must be true for every entry that may change a cached value without ending a handle that the value depends on. */
export function newCache<T>(trustLog: Pick<TrustLog, 'ended' | 'now' | 'onApplied'>, isChange: (entry: Entry) => boolean): Cache<T> {
  const cached = new BoundedMap<string, CachedRead<T>>(MAX_CACHED)
  let changes = 0
  trustLog.onApplied(({ entries }) => {
    if (!entries.some((entry) => entry.type === 'epoch.started' || !KNOWN_TYPES.has(entry.type) || isChange(entry))) return
    changes++
    cached.clear()
  })

  return {
    getOrRead: async (key, read) => {
      const known = cached.get(key)
      const isFresh = known && trustLog.now() < (known.expiresAt ?? Number.POSITIVE_INFINITY)
      // The age is negative if the clock was set back since
      if (isFresh && Math.abs(trustLog.now() - known.readAt) < MAX_AGE_SECONDS && stands(trustLog.ended, known.dependsOn))
        return known.value
      const [before, readAt] = [changes, trustLog.now()]
      const reading = await read()
      // The value may lack a change that was applied during the read
      if (reading && changes === before && stands(trustLog.ended, reading.dependsOn)) cached.set(key, deepFreeze({ ...reading, readAt }))
      return reading?.value
    },
  }
}

interface CachedRead<T> extends CacheableRead<T> {
  readonly readAt: number
}
