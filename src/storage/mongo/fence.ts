// The fence of an instance: a write on the majority, then a read that is not older than it. Whoever is primary no longer cannot do the write.
import type { Collection, Db } from 'mongodb'
import type { Clock } from '../../lib/clock.js'
import type { StoreTime } from '../storage.js'
import { reach } from './failures.js'
import { FORMAT } from './format.js'
import type { StoredBlock } from './log.js'

/** Of one instance, in the collection of the blocks: one order for both (ARCHITECTURE, Storage). */
export interface StoredFence {
  readonly _id: string
  readonly count: number
  /** Absent of the first builds. */
  readonly format?: number
  readonly gone: Date
}

export interface FenceDeps {
  readonly db: Db
  readonly blocks: Collection<StoredBlock>
  /** Names this one's fence. */
  readonly instance: string
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly storeClock: (said: Date) => number
}

export interface Fence {
  /** The newest block: all that was acknowledged before this was asked is in it or before it. */
  read(): Promise<Pick<StoredBlock, 'block'> | undefined>
  /** What the server's clock said at the last reading. */
  storeTime(): StoreTime | undefined
  /** So that nobody waits for it in vain; left behind, the server removes it. */
  remove(): Promise<void>
}

export function newFence({ db, blocks, instance, clock, storeClock }: FenceDeps): Fence {
  const fences: Collection<StoredFence> = db.collection(blocks.collectionName)
  const own = { _id: { $eq: `fence ${instance}` } }
  let hasFenced = false
  let storeTime: StoreTime | undefined

  const timed = async <T>(ask: () => Promise<T>, saidIn: (answer: T) => unknown): Promise<T> => {
    const sentMs = clock.monotonicMs()
    const answer = await ask()
    const said = saidIn(answer)
    if (said instanceof Date) storeTime = { ms: storeClock(said), sentMs, receivedMs: clock.monotonicMs() }
    return answer
  }

  return {
    read: () =>
      reach(() =>
        db.client.withSession({ causalConsistency: true }, async (session) => {
          hasFenced = true
          await fences.updateOne(
            own,
            { $inc: { count: 1 }, $set: { format: FORMAT }, $currentDate: { gone: true } },
            { upsert: true, session },
          )
          const newestBlock = () =>
            blocks
              .find<Pick<StoredBlock, 'block'> & { readonly now: Date }>(
                { _id: { $gte: 0 } },
                { session, projection: { block: 1, now: '$$NOW' } },
              )
              .sort({ _id: -1 })
              .limit(1)
              .next()
          const stored = await timed(newestBlock, (there) => there?.now)
          if (stored !== null) return stored
          await timed(
            () => db.command({ hello: 1 }),
            ({ localTime }) => localTime,
          )
          return undefined
        }),
      ),
    storeTime: () => storeTime,
    remove: async () => {
      if (hasFenced) await fences.deleteOne(own).catch(() => undefined)
    },
  }
}
