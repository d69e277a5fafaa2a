// The lease of an instance: a document in the log's collection, which the instance renews about once a second. An administrator's command that
// needs exclusive use of the store, or no instance of an older release, looks for live leases (admin/require-exclusive.ts).
import type { Collection, Db } from 'mongodb'
import type { Clock } from '../../../lib/clock.js'
import { SCHEMA_VERSION } from '../schema-version.js'
import { onceReady } from './ready.js'

export interface StoredInstance {
  readonly _id: string
  /** Incremented at each renewal. */
  readonly renewals: number
  readonly schemaVersion: number
  /** The server's time of the last renewal. */
  readonly lastSeen: Date
}

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
  /** Removes the lease. A lease that is left behind is removed by the server after a day. */
  release(): Promise<void>
}

export const instanceDocumentId = (instance: string): string => `instance ${instance}`

export function newInstanceLease({ db, instance, waitClock }: InstanceLeaseDeps, collection: string): InstanceLease {
  const leases: Collection<StoredInstance> = db.collection(collection)
  const filter = { _id: { $eq: instanceDocumentId(instance) } }
  let renewedAt = 0
  let renewing: Promise<void> = Promise.resolve()
  const write = async (): Promise<void> => {
    renewedAt = waitClock.now()
    const update = { $inc: { renewals: 1 }, $set: { schemaVersion: SCHEMA_VERSION }, $currentDate: { lastSeen: true } } as const
    await leases.updateOne(filter, update, { upsert: true })
  }
  const firstWrite = onceReady(write)
  return {
    renew: async () => {
      await firstWrite()
      // A failed renewal is not retried: the next call renews
      if (renewedAt !== waitClock.now()) renewing = write().catch(() => undefined)
    },
    release: async () => {
      await renewing
      if (renewedAt > 0) await leases.deleteOne(filter).catch(() => undefined)
    },
  }
}
