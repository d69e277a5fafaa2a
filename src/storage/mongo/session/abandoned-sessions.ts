// A transaction whose instance was killed stays open on the server for a minute (transactionLifetimeLimitSeconds), and whoever writes what it
// has written waits. Ours never pause between two statements: one that has done so for seconds has nobody any more, and is ended by any
// instance. Where it had somebody after all (an instance that was stopped for so long), its driver does it anew.
import { type Document, type MongoClient, MongoServerError } from 'mongodb'
import type { Clock } from '../../../lib/clock.js'
import type { Log } from '../../../lib/log.js'
import { APP_NAME } from './connect.js'

/** Together less than a caller waits for the server (3 s). */
const IDLE_MICROS = 1_500_000
const LOOK_MS = 500

export interface AbandonedSessionsDeps {
  readonly client: MongoClient
  readonly clock: Pick<Clock, 'after'>
  readonly warn: Log['warn']
}

/** Looks for such transactions until it is closed. Sessions of one's own user may be seen and ended without a privilege. */
export function endAbandonedSessions({ client, clock, warn }: AbandonedSessionsDeps): { close(): Promise<void> } {
  const admin = client.db('admin')
  const closing = new AbortController()
  const look = async (): Promise<void> => {
    const idle = await admin
      .aggregate<Document>(
        [
          { $currentOp: { allUsers: false, idleSessions: true } },
          { $match: { type: 'idleSession', appName: APP_NAME, 'transaction.timeInactiveMicros': { $gt: IDLE_MICROS } } },
          { $project: { lsid: 1 } },
        ],
        { readConcern: { level: 'local' } },
      )
      .toArray()
    if (idle.length > 0) await admin.command({ killSessions: idle.map(({ lsid }) => ({ id: lsid.id })) })
  }
  let isTold = false
  const looking = (async () => {
    while (!closing.signal.aborted) {
      await look().catch((error: unknown) => {
        // A server that is away is told of by whoever needs it
        if (isTold || !(error instanceof MongoServerError)) return
        isTold = true
        warn('transactions that nobody goes on with cannot be ended: they may hold others up for a minute', { error: String(error) })
      })
      await clock.after(LOOK_MS, closing.signal)
    }
  })()
  return {
    close: async () => {
      closing.abort()
      await looking
    },
  }
}
