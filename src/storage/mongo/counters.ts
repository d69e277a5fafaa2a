import type { ClientSession } from 'mongodb'
import { encoded } from './codec.js'
import type { CollectionsDeps } from './collections.js'
import type { CollectionSchema } from './ensure-schema.js'
import { purgeIn } from './purge.js'
import { callServerIn, isDuplicateKey } from './session/errors.js'
import { onceReady } from './session/ready.js'

export interface Counter {
  readonly _id: string
  readonly sum: number
  /** Epoch seconds; 0 if nothing was added yet. */
  readonly expires: number
  /** The sum that the last addition returned, or null if it would have exceeded its limit. */
  readonly result: number | null
}

export interface Counters {
  ready(): Promise<void>
  /** Returns the new sum. If it would exceed `limit`, adds nothing and returns undefined. */
  add(
    count: { readonly key: string; readonly by: number; readonly limit: number; readonly expiresAt: number },
    session?: ClientSession,
  ): Promise<number | undefined>
  /** Removes at most `limit` expired counters and returns how many it removed. */
  purge(now: number, limit: number): Promise<number>
}

export const COUNTERS: CollectionSchema = {
  name: 'counters',
  indexes: [{ name: 'expires', key: { expires: 1 } }],
}

export function newCounters({ db, now, ensureSchema }: CollectionsDeps): Counters {
  const counters = db.collection<Counter>(COUNTERS.name)
  const ready = onceReady(() => ensureSchema(COUNTERS))
  return {
    ready,
    add: async (count, session) => {
      const { key, by } = count
      if (!Number.isFinite(by) || !Number.isFinite(count.expiresAt)) throw new Error('a counter needs a finite amount and a finite expiry')
      await ready()
      const _id = encoded(key)
      for (;;) {
        const after = await callServerIn(session, (inSession) =>
          counters.findOneAndUpdate({ _id: { $eq: _id } }, addition(count, now()), { returnDocument: 'after', ...inSession }),
        )
        if (after !== null) return after.result ?? undefined
        // The counter does not exist. Of two concurrent callers the second one finds the counter that the first one inserted
        await callServerIn(session, (inSession) => counters.insertOne({ _id, sum: 0, expires: 0, result: null }, inSession)).catch(
          (error: unknown) => {
            if (!isDuplicateKey(error) || session !== undefined) throw error
          },
        )
      }
    },
    purge: async (nowSeconds, limit) => {
      await ready()
      return purgeIn(db, COUNTERS.name, nowSeconds, limit)
    },
  }
}

/** The update that adds, or not. It is one pipeline, so it decides atomically. It contains numbers only, no text of a caller. */
function addition({ by, limit, expiresAt }: { readonly by: number; readonly limit: number; readonly expiresAt: number }, now: number) {
  const isLive = { $gt: [{ $ifNull: ['$expires', 0] }, now] }
  const fits = by > 0 ? { $lte: ['$after', Number.isFinite(limit) ? limit : Number.MAX_VALUE] } : true
  return [
    { $set: { before: { $cond: [isLive, '$sum', 0] }, newExpiry: { $cond: [isLive, '$expires', by === 0 ? 0 : expiresAt] } } },
    { $set: { after: { $add: ['$before', by] } } },
    {
      $set: {
        sum: { $cond: [fits, '$after', '$before'] },
        result: { $cond: [fits, '$after', null] },
        expires: { $cond: [fits, '$newExpiry', { $cond: [isLive, '$expires', 0] }] },
      },
    },
    { $unset: ['before', 'newExpiry', 'after'] },
  ]
}
