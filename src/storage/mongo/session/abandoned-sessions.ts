// Ends transactions of crashed instances. The server keeps such a transaction open for a minute (transactionLifetimeLimitSeconds), and until then
// other instances that write the same documents wait. Our transactions never pause between two statements, so one that has been idle for
// IDLE_MICROS is abandoned, and any instance ends it. If its instance was only suspended, the driver there runs the transaction again.
import { type Document, type MongoClient, MongoServerError } from 'mongodb'
import type { Clock } from '../../../lib/clock.js'
import type { Log } from '../../../lib/log.js'
import { APP_NAME } from './connect.js'

/** Together with INTERVAL_MS less than the 3 s for which a caller waits for the server. */
const IDLE_MICROS = 1_500_000
const INTERVAL_MS = 500

interface AbandonedSessionsDeps {
  readonly client: MongoClient
  readonly clock: Pick<Clock, 'after'>
  readonly warn: Log['warn']
}

/** Looks for abandoned transactions until it is closed. A database user may list and end its own sessions without a privilege. */
export function endAbandonedSessions({ client, clock, warn }: AbandonedSessionsDeps): { close(): Promise<void> } {
  const admin = client.db('admin')
  const closing = new AbortController()
  const endIdleSessions = async (): Promise<void> => {
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
  let hasWarned = false
  const running = (async () => {
    while (!closing.signal.aborted) {
      await endIdleSessions().catch((error: unknown) => {
        // An unreachable server is reported by the requests that need it
        if (hasWarned || !(error instanceof MongoServerError)) return
        hasWarned = true
        warn('cannot end abandoned transactions: they may block other writes for a minute', { error: String(error) })
      })
      await clock.after(INTERVAL_MS, closing.signal)
    }
  })()
  return {
    close: async () => {
      closing.abort()
      await running
    },
  }
}
