// Who else uses this database: every instance fences, in a document of its own beside the log's blocks, about twice a second.
import type { Db } from 'mongodb'
import { refuse } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'
import { reach } from './failures.js'
import type { StoredFence } from './fence.js'
import { LOG_COLLECTION } from './log.js'

/** What has not fenced for so long is no more, or cut off. */
const ALIVE_MS = 5000
const WATCHED_MS = 2000

/** Refuses while an instance reads the log. One that was closed left no fence; one that was killed, or came back with a backup, does not move. */
export async function requireAlone(db: Db, clock: Pick<Clock, 'after'>): Promise<void> {
  const before = await recentFences(db)
  if (before.length === 0) return
  await clock.after(WATCHED_MS)
  const moved = (await recentFences(db)).filter(({ _id, count }) => before.find((one) => one._id === _id)?.count !== count).length
  if (moved > 0) refuse('unavailable', `${moved} ${moved === 1 ? 'instance uses' : 'instances use'} this store: stop every registry first`)
}

/** How many instances of an earlier format there are. */
export const olderInstances = async (db: Db, format: number): Promise<number> =>
  (await recentFences(db)).filter((fence) => (fence.format ?? 0) < format).length

async function recentFences(db: Db): Promise<readonly StoredFence[]> {
  return reach(async () => {
    const { localTime } = await db.command({ hello: 1 })
    const since = new Date(Number(localTime) - ALIVE_MS)
    return db
      .collection<StoredFence>(LOG_COLLECTION)
      .find({ gone: { $gt: since } })
      .toArray()
  })
}
