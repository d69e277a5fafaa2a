// Finds the instances that use a database by their leases, which each instance renews about once a second (session/instance-lease.ts).
import type { Db } from 'mongodb'
import { refuse } from '../../../errors.js'
import type { Clock } from '../../../lib/clock.js'
import { callServer } from '../session/errors.js'
import { instanceDocumentId, LEASE_MS, type StoredInstance } from '../session/instance-lease.js'
import { LOG_COLLECTION } from '../stored-block.js'

const OBSERVE_MS = 3000

/**
 * Refuses while another instance uses the database; `own` names the instance that is allowed. Observes the leases for OBSERVE_MS and counts only
 * those that are renewed: the lease of a crashed instance, or one restored from a backup, is not.
 */
export async function requireExclusive(db: Db, clock: Pick<Clock, 'after'>, own?: string): Promise<void> {
  const others = async () => (await liveInstances(db)).filter(({ _id }) => own === undefined || _id !== instanceDocumentId(own))
  const before = await others()
  if (before.length === 0) return
  await clock.after(OBSERVE_MS)
  const renewed = (await others()).filter(({ _id, renewals }) => before.find((lease) => lease._id === _id)?.renewals !== renewals).length
  if (renewed > 0)
    refuse('unavailable', `${renewed} ${renewed === 1 ? 'instance uses' : 'instances use'} this store: stop every registry first`)
}

async function liveInstances(db: Db): Promise<readonly StoredInstance[]> {
  return callServer(async () => {
    const { localTime } = await db.command({ hello: 1 })
    const since = new Date(Number(localTime) - LEASE_MS)
    return db
      .collection<StoredInstance>(LOG_COLLECTION)
      .find({ lastSeen: { $gt: since } })
      .toArray()
  })
}
