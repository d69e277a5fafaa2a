// The fence of an instance: a write on the majority, on the newest block, which it returns. Whoever is primary no longer cannot do the write.
import { type Collection, MongoError } from 'mongodb'
import type { Clock } from '../../lib/clock.js'
import type { StoreTime } from '../storage.js'
import { DURABLE } from './session/connect.js'
import { reach } from './session/errors.js'
import { type InstanceLeaseDeps, newInstanceLease } from './session/instance-lease.js'
import type { StoredBlock } from './stored-block.js'

export interface BarrierWriteDeps extends InstanceLeaseDeps {
  readonly blocks: Collection<StoredBlock>
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly storeClock: (said: Date) => number
}

export interface BarrierWrite {
  /** The newest block: all that was acknowledged before this was asked is in it or before it. */
  read(): Promise<Pick<StoredBlock, 'block'> | undefined>
  /** What the server's clock said at the last reading. */
  storeTime(): StoreTime | undefined
  close(): Promise<void>
}

export function newBarrierWrite(deps: BarrierWriteDeps): BarrierWrite {
  const { db, blocks, clock, storeClock } = deps
  const presence = newInstanceLease(deps, blocks.collectionName)
  let storeTime: StoreTime | undefined

  const timed = async <T>(ask: () => Promise<T>, saidIn: (answer: T) => unknown): Promise<T> => {
    const sentMs = clock.monotonicMs()
    const answer = await ask()
    const said = saidIn(answer)
    if (said instanceof Date) storeTime = { ms: storeClock(said), sentMs, receivedMs: clock.monotonicMs() }
    return answer
  }
  /**
   * A block that another member has acknowledged is there, or the write fails; what it finds lies before the write, and is on the majority with
   * it. The plain command: as a retryable write the server would keep a copy of the block each time. Done twice it is as good.
   */
  const newestBlock = async (): Promise<Pick<StoredBlock, 'block'> | undefined> => {
    const { value } = await timed(
      () =>
        db.command({
          findAndModify: blocks.collectionName,
          query: { _id: { $gte: 0 } },
          sort: { _id: -1 },
          update: { $inc: { fences: 1 } },
          fields: { block: 1, now: '$$NOW' },
          writeConcern: { w: DURABLE.w, j: DURABLE.journal },
        }),
      (answer) => answer.value?.now,
    )
    return value ?? undefined
  }

  return {
    read: () =>
      reach(async () => {
        await presence.tell()
        const stored = await newestBlock().catch((error: unknown) => {
          if (!(error instanceof MongoError)) throw error
          // The primary may have changed: the driver knows by now
          return newestBlock()
        })
        if (stored !== undefined) return stored
        await timed(
          () => db.command({ hello: 1 }),
          ({ localTime }) => localTime,
        )
        return undefined
      }),
    storeTime: () => storeTime,
    close: presence.leave,
  }
}
