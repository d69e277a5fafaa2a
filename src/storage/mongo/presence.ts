// Every instance says that it is there, in a document of its own beside the log's blocks: for those who must be alone, or wait for older builds.
import type { Collection, Db } from 'mongodb'
import type { Clock } from '../../lib/clock.js'
import { FORMAT } from './format.js'

export interface StoredPresence {
  readonly _id: string
  readonly count: number
  /** Absent of the first builds. */
  readonly format?: number
  readonly gone: Date
}

export interface PresenceDeps {
  readonly db: Db
  /** Names this one. */
  readonly instance: string
  /** The machine's, also where a test sets the other one. */
  readonly waits: Pick<Clock, 'now'>
}

export interface Presence {
  /** Whoever reads the log calls it each time; about once a second it is written. Only the first time is waited for. */
  tell(): Promise<void>
  /** So that nobody waits for it in vain; left behind, the server removes it. */
  leave(): Promise<void>
}

export const presenceOf = (instance: string): string => `instance ${instance}`

export function newPresence({ db, instance, waits }: PresenceDeps, collection: string): Presence {
  const present: Collection<StoredPresence> = db.collection(collection)
  const own = { _id: { $eq: presenceOf(instance) } }
  let told: number | undefined
  let telling: Promise<unknown> = Promise.resolve()
  const write = () =>
    present.updateOne(own, { $inc: { count: 1 }, $set: { format: FORMAT }, $currentDate: { gone: true } }, { upsert: true })
  return {
    tell: async () => {
      const now = waits.now()
      if (told === now) return
      if (told === undefined) await write()
      // Where it fails the next one tells it
      else telling = write().catch(() => undefined)
      told = now
    },
    leave: async () => {
      await telling
      if (told !== undefined) await present.deleteOne(own).catch(() => undefined)
    },
  }
}
