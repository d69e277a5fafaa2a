// Who else uses this database: every instance that reads the log says so about once a second (presence.ts).
import type { Db } from 'mongodb'
import { refuse } from '../../../errors.js'
import type { Clock } from '../../../lib/clock.js'
import { reach } from '../session/errors.js'
import { instancesOf, type StoredInstance } from '../session/instance-lease.js'
import { LOG_COLLECTION } from '../stored-block.js'

/** What has said nothing for so long is no more, or cut off. */
const ALIVE_MS = 5000
const WATCHED_MS = 3000

/**
 * Refuses while another instance reads the log. One that was closed left nothing; one that was killed, or came back with a backup, does not
 * move.
 */
export async function requireExclusive(db: Db, clock: Pick<Clock, 'after'>, own?: string): Promise<void> {
  const others = async () => (await present(db)).filter(({ _id }) => own === undefined || _id !== instancesOf(own))
  const before = await others()
  if (before.length === 0) return
  await clock.after(WATCHED_MS)
  const moved = (await others()).filter(({ _id, count }) => before.find((one) => one._id === _id)?.count !== count).length
  if (moved > 0) refuse('unavailable', `${moved} ${moved === 1 ? 'instance uses' : 'instances use'} this store: stop every registry first`)
}

/** How many instances of an earlier format there are. */
export const olderInstances = async (db: Db, format: number): Promise<number> =>
  (await present(db)).filter((one) => (one.format ?? 0) < format).length

async function present(db: Db): Promise<readonly StoredInstance[]> {
  return reach(async () => {
    const { localTime } = await db.command({ hello: 1 })
    const since = new Date(Number(localTime) - ALIVE_MS)
    return db
      .collection<StoredInstance>(LOG_COLLECTION)
      .find({ gone: { $gt: since } })
      .toArray()
  })
}
