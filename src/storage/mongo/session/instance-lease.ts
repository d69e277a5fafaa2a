// The lease of an instance: a document in the log's collection, which the instance renews about once a second. An administrator's command that
// needs exclusive use of the store looks for live leases (admin/require-exclusive.ts). The live instances divide the rates among themselves.
import type { Collection, Db } from 'mongodb'
import type { Clock } from '../../../lib/clock.js'
import { onceReady } from './ready.js'

export interface StoredInstance {
  readonly _id: string
  /** Incremented at each renewal. */
  readonly renewals: number
  /** The server's time of the last renewal. */
  readonly lastSeen: Date
}

/** An instance that has not renewed its lease for this long has crashed or cannot reach the database. */
export const LEASE_MS = 5000
/** More live instances are not counted. */
const MAX_COUNTED = 1000

export interface InstanceLeaseDeps {
  readonly db: Db
  /** The name of this instance. */
  readonly instance: string
  /** The machine's clock, also in tests that set the registry's clock. */
  readonly waitClock: Pick<Clock, 'now'>
}

interface InstanceLease {
  /** Readers of the log call it at each read. Writes at most once a second, and waits only for the first write. */
  renew(): Promise<void>
  /** The number of live instances at the last renewal, this one included. */
  live(): number
  /** Removes the lease. A lease that is left behind is removed by the server after a day. */
  release(): Promise<void>
}

export const instanceDocumentId = (instance: string): string => `instance ${instance}`

export function newInstanceLease({ db, instance, waitClock }: InstanceLeaseDeps, collection: string): InstanceLease {
  const leases: Collection<StoredInstance> = db.collection(collection)
  const filter = { _id: { $eq: instanceDocumentId(instance) } }
  let renewedAt = 0
  let live = 1
  let renewing: Promise<void> = Promise.resolve()
  const write = async (): Promise<void> => {
    renewedAt = waitClock.now()
    const update = { $inc: { renewals: 1 }, $currentDate: { lastSeen: true } } as const
    const own = await leases.findOneAndUpdate(filter, update, { upsert: true, returnDocument: 'after' })
    const since = new Date(Number(own?.lastSeen) - LEASE_MS)
    live = (await leases.find({ lastSeen: { $gt: since } }, { projection: { _id: 1 }, limit: MAX_COUNTED }).toArray()).length
  }
  const firstWrite = onceReady(write)
  return {
    renew: async () => {
      await firstWrite()
      // A failed renewal is not retried: the next call renews
      if (renewedAt !== waitClock.now()) renewing = write().catch(() => undefined)
    },
    live: () => live,
    release: async () => {
      await renewing
      if (renewedAt > 0) await leases.deleteOne(filter).catch(() => undefined)
    },
  }
}
