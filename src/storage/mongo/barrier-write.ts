// The read barrier of an instance: a majority write on the newest block, which returns that block. A deposed primary cannot complete it.
import { type Collection, MongoError } from 'mongodb'
import type { Clock } from '../../lib/clock.js'
import type { StoreTime } from '../storage.js'
import { DURABLE } from './session/connect.js'
import { callServer } from './session/errors.js'
import { type InstanceLeaseDeps, newInstanceLease } from './session/instance-lease.js'
import type { StoredBlock } from './stored-block.js'

export interface BarrierWriteDeps extends InstanceLeaseDeps {
  readonly blocks: Collection<StoredBlock>
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Converts the server's time to milliseconds. */
  readonly storeClock: (serverTime: Date) => number
}

interface BarrierWrite {
  /** The newest block. Every append that was acknowledged before the call is in it or in an earlier block. */
  read(): Promise<Pick<StoredBlock, '_id' | 'block'> | undefined>
  /** The server's clock at the last read. */
  storeTime(): StoreTime | undefined
  /** The number of instances that use the database now. */
  liveInstances(): number
  close(): Promise<void>
}

export function newBarrierWrite(deps: BarrierWriteDeps): BarrierWrite {
  const { db, blocks, clock, storeClock } = deps
  const lease = newInstanceLease(deps, blocks.collectionName)
  let storeTime: StoreTime | undefined

  const timed = async <T>(send: () => Promise<T>, serverTimeIn: (response: T) => unknown): Promise<T> => {
    const sentMs = clock.monotonicMs()
    const response = await send()
    const serverTime = serverTimeIn(response)
    if (serverTime instanceof Date) storeTime = { ms: storeClock(serverTime), sentMs, receivedMs: clock.monotonicMs() }
    return response
  }
  /**
   * The write fails if this member has not got a block that others acknowledged: so the block that it returns is the newest, and the majority has
   * it. It is sent as a plain command because for a retryable write the server would save a copy of the block each time; repeating it is harmless.
   */
  const newestBlock = async (): Promise<Pick<StoredBlock, '_id' | 'block'> | undefined> => {
    const { value } = await timed(
      () =>
        db.command({
          findAndModify: blocks.collectionName,
          query: { _id: { $gte: 0 } },
          sort: { _id: -1 },
          update: { $inc: { barriers: 1 } },
          fields: { block: 1, now: '$$NOW' },
          writeConcern: { w: DURABLE.w, j: DURABLE.journal },
        }),
      (response) => response.value?.now,
    )
    return value ?? undefined
  }

  return {
    read: () =>
      callServer(async () => {
        await lease.renew()
        const stored = await newestBlock().catch((error: unknown) => {
          if (!(error instanceof MongoError)) throw error
          // The primary may have changed. By now the driver knows the new one
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
    liveInstances: lease.live,
    close: lease.release,
  }
}
