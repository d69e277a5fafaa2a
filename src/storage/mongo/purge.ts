import type { Db } from 'mongodb'
import { reach } from './session/errors.js'

/** Removes at most `limit` of what has expired by `at` from a collection that has an index for it; how many. */
export const purgeIn = (db: Db, name: string, at: number, limit: number): Promise<number> =>
  reach(async () => {
    if (limit <= 0) return 0
    const docs = db.collection<{ readonly _id: string; readonly expires?: number }>(name)
    const expired = await docs
      .find({ expires: { $lte: at } })
      .sort({ expires: 1 })
      .limit(limit)
      .project({ _id: 1 })
      .toArray()
    if (expired.length === 0) return 0
    // Unless it was written anew meanwhile
    return (await docs.deleteMany({ _id: { $in: expired.map(({ _id }) => String(_id)) }, expires: { $lte: at } })).deletedCount
  })
