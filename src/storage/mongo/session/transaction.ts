import type { ClientSession, MongoClient } from 'mongodb'
import { DURABLE } from './connect.js'
import { callServer } from './errors.js'

/** Runs `work` in a transaction. The driver runs it again after a transient error: a write conflict or a change of the primary. */
export const transaction = (client: MongoClient, work: (session: ClientSession) => Promise<void>): Promise<void> =>
  callServer(() =>
    client.withSession((session) => session.withTransaction(work, { readConcern: { level: 'snapshot' }, writeConcern: DURABLE })),
  )
