import type { Db } from 'mongodb'
import { callServer } from './session/errors.js'

/** Removes at most `limit` documents that have expired at `now`, and returns how many. The collection must have an index on `expires`. */
export const purgeIn = (db: Db, name: string, now: number, limit: number): Promise<number> =>
  callServer(async () => {
    if (limit <= 0) return 0
    const docs = db.collection<{ readonly _id: string; readonly expires?: number }>(name)
    const expired = await docs
      .find({ expires: { $lte: now } })
      .sort({ expires: 1 })
      .limit(limit)
      .project({ _id: 1 })
      .toArray()
    if (expired.length === 0) return 0
    // A document may have been replaced by a newer one with the same id: `expires` is checked again
    return (await docs.deleteMany({ _id: { $in: expired.map(({ _id }) => String(_id)) }, expires: { $lte: now } })).deletedCount
  })
