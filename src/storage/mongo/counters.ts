import type { ClientSession } from 'mongodb'
import { encoded } from './codec.js'
import type { CollectionsDeps } from './collections.js'
import type { Declared } from './ensure-schema.js'
import { purgeIn } from './purge.js'
import { isTaken, reachIn } from './session/errors.js'
import { onceReady } from './session/ready.js'

export interface Counter {
  readonly _id: string
  readonly sum: number
  /** Epoch seconds; 0 where nothing was ever added. */
  readonly expires: number
  /** The sum that the last addition was told, or null where it did not fit. */
  readonly told: number | null
}

export interface Counters {
  ready(): Promise<void>
  /** The sum, or undefined (and nothing added) where it would pass `limit`. */
  add(
    count: { readonly key: string; readonly by: number; readonly limit: number; readonly expiresAt: number },
    session?: ClientSession,
  ): Promise<number | undefined>
  purge(now: number, limit: number): Promise<number>
}

const NUMBERS = { bsonType: ['int', 'long', 'double'] }
export const COUNTERS: Declared = {
  name: 'counters',
  validator: {
    $jsonSchema: {
      bsonType: 'object',
      required: ['_id', 'sum', 'expires'],
      properties: { _id: { bsonType: 'string' }, sum: NUMBERS, expires: NUMBERS },
    },
  },
  indexes: [{ name: 'expires', key: { expires: 1 } }],
}

export function newCounters({ db, now, declare }: CollectionsDeps): Counters {
  const counters = db.collection<Counter>(COUNTERS.name)
  const ready = onceReady(() => declare(COUNTERS))
  return {
    ready,
    add: async (count, session) => {
      const { key, by } = count
      if (!Number.isFinite(by) || !Number.isFinite(count.expiresAt)) throw new Error('a counter adds finite numbers')
      await ready()
      const _id = encoded(key)
      for (;;) {
        const after = await reachIn(session, (at) =>
          counters.findOneAndUpdate({ _id: { $eq: _id } }, addition(count, now()), { returnDocument: 'after', ...at }),
        )
        if (after !== null) return after.told ?? undefined
        // Two may begin it at once: whoever comes second finds it begun
        await reachIn(session, (at) => counters.insertOne({ _id, sum: 0, expires: 0, told: null }, at)).catch((error: unknown) => {
          if (!isTaken(error) || session !== undefined) throw error
        })
      }
    },
    purge: async (at, limit) => {
      await ready()
      return purgeIn(db, COUNTERS.name, at, limit)
    },
  }
}

/** One update that decides by what it finds. All values are numbers of ours. */
function addition({ by, limit, expiresAt }: { readonly by: number; readonly limit: number; readonly expiresAt: number }, now: number) {
  const isLive = { $gt: [{ $ifNull: ['$expires', 0] }, now] }
  const fits = by > 0 ? { $lte: ['$next', Number.isFinite(limit) ? limit : Number.MAX_VALUE] } : true
  return [
    { $set: { was: { $cond: [isLive, '$sum', 0] }, until: { $cond: [isLive, '$expires', by === 0 ? 0 : expiresAt] } } },
    { $set: { next: { $add: ['$was', by] } } },
    {
      $set: {
        sum: { $cond: [fits, '$next', '$was'] },
        told: { $cond: [fits, '$next', null] },
        expires: { $cond: [fits, '$until', { $cond: [isLive, '$expires', 0] }] },
      },
    },
    { $unset: ['was', 'until', 'next'] },
  ]
}
