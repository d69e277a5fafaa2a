// Every instance says that it is there, in a document of its own beside the log's blocks: for those who must be alone, or wait for older builds.
import type { Collection, Db } from 'mongodb'
import type { Clock } from '../../../lib/clock.js'
import { FORMAT } from '../format.js'
import { onceReady } from './ready.js'

export interface StoredInstance {
  readonly _id: string
  readonly count: number
  /** Absent of the first builds. */
  readonly format?: number
  readonly gone: Date
}

export interface InstanceLeaseDeps {
  readonly db: Db
  /** Names this one. */
  readonly instance: string
  /** The machine's, also where a test sets the other one. */
  readonly waits: Pick<Clock, 'now'>
}

export interface InstanceLease {
  /** Whoever reads the log calls it each time; about once a second it is written. Only the first time is waited for. */
  tell(): Promise<void>
  /** So that nobody waits for it in vain; left behind, the server removes it. */
  leave(): Promise<void>
}

export const instancesOf = (instance: string): string => `instance ${instance}`

export function newInstanceLease({ db, instance, waits }: InstanceLeaseDeps, collection: string): InstanceLease {
  const present: Collection<StoredInstance> = db.collection(collection)
  const own = { _id: { $eq: instancesOf(instance) } }
  let told = 0
  let telling: Promise<void> = Promise.resolve()
  const write = async (): Promise<void> => {
    told = waits.now()
    await present.updateOne(own, { $inc: { count: 1 }, $set: { format: FORMAT }, $currentDate: { gone: true } }, { upsert: true })
  }
  const begin = onceReady(write)
  return {
    tell: async () => {
      await begin()
      // Where it fails the next one tells it
      if (told !== waits.now()) telling = write().catch(() => undefined)
    },
    leave: async () => {
      await telling
      if (told > 0) await present.deleteOne(own).catch(() => undefined)
    },
  }
}
