import { type MongoClient, MongoServerError } from 'mongodb'
import { refuse } from '../../../errors.js'
import type { BulkSnapshot } from '../../bulk.js'
import { newBulkReader } from '../bulk.js'
import { callServer } from '../session/errors.js'

/** Reads the state of the database at the first read, which includes every write that was acknowledged before it. */
export function openSnapshot(client: MongoClient, ready: () => Promise<void>): BulkSnapshot {
  const session = client.startSession({ snapshot: true })
  const options = { session, readConcern: { level: 'snapshot' } } as const
  return { ...newBulkReader({ db: client.db(), ready, options, call: callInSnapshot }), close: () => session.endSession() }
}

const SNAPSHOT_TOO_OLD = 239
const TOO_OLD =
  'the server no longer has the state at the start of the dump. Let every member keep it for longer than the dump takes (by default 300 s), and run the dump again: db.adminCommand({ setParameter: 1, minSnapshotHistoryWindowInSeconds: 3600 })'

const callInSnapshot = <T>(read: () => Promise<T>): Promise<T> =>
  callServer(async () => {
    try {
      return await read()
    } catch (error) {
      if (error instanceof MongoServerError && error.code === SNAPSHOT_TOO_OLD) refuse('unavailable', TOO_OLD)
      throw error
    }
  })
