import type { ClientSession, MongoClient } from 'mongodb'
import { DURABLE } from './connect.js'
import { reach } from './errors.js'

/** All or nothing. The driver does it anew where the server says that it may pass: a conflict, a change of the primary. */
export const transaction = (client: MongoClient, work: (session: ClientSession) => Promise<void>): Promise<void> =>
  reach(() => client.withSession((session) => session.withTransaction(work, { readConcern: { level: 'snapshot' }, writeConcern: DURABLE })))
