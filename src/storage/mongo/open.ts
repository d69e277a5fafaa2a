import type { MongoClient } from 'mongodb'
import { type Clock, systemClock } from '../../lib/clock.js'
import type { Log } from '../../lib/log.js'
import type { BulkWriter } from '../bulk.js'
import type { Storage } from '../storage.js'
import { requireExclusive } from './admin/require-exclusive.js'
import { newBulkAccess, requireNoCopy } from './bulk.js'
import { newCollections } from './collections.js'
import { newCounters } from './counters.js'
import { newDeclare } from './ensure-schema.js'
import { claimFormat, requireRegistry } from './format.js'
import { newLog } from './log.js'
import { newCardRows } from './search/card-search.js'
import { endAbandonedSessions } from './session/abandoned-sessions.js'
import { newCommit } from './session/commit.js'
import { connect } from './session/connect.js'
import { reach } from './session/errors.js'

export interface MongoOptions {
  /** `mongodb://…` or `mongodb+srv://…`, with the database's name. */
  readonly url: string
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>
  /** Milliseconds that the store's clock tells where the server said `said`. For tests, which set the clocks of both; default: just that. */
  readonly storeClock?: (said: Date) => number
  /** Names this instance among others: any text that no other has. */
  readonly instance: string
  /** Refused while any other instance reads the log: for what nobody else may see half done. */
  readonly isAlone?: boolean
  /** For an administrator's command, which waits as long as it takes. */
  readonly isPatient?: boolean
  /** For a copy into it. Without, a database into which one is under way is refused. */
  readonly receives?: boolean
  /** For waiting for other processes, and looking after them, which no clock of a test can pass. Default: the machine's. */
  readonly waits?: Pick<Clock, 'now' | 'after'>
  readonly warn: Log['warn']
}

export interface MongoStorage extends Storage {
  readonly holdings: BulkWriter
}

/** The store for more than one machine: any number of instances over one replica set, none of which leads. */
export async function openMongo({
  url,
  clock,
  storeClock = (said) => said.getTime(),
  instance,
  isAlone = false,
  isPatient = false,
  receives = false,
  waits = systemClock,
  warn,
}: MongoOptions): Promise<MongoStorage> {
  const client = await connect({ url, warn, isPatient })
  try {
    if (isPatient && !receives) await requireRegistry(client.db())
    await claimFormat(client.db())
    if (!receives) await requireNoCopy(client.db())
    if (isAlone) await requireExclusive(client.db(), waits)
    return await openDatabase({ client, clock, storeClock, instance, waits, warn })
  } catch (error) {
    await client.close()
    throw error
  }
}

async function openDatabase({
  client,
  clock,
  storeClock,
  instance,
  waits,
  warn,
}: Required<Pick<MongoOptions, 'clock' | 'storeClock' | 'instance' | 'waits' | 'warn'>> & {
  readonly client: MongoClient
}): Promise<MongoStorage> {
  const db = client.db()
  const now = () => clock.now()
  const deps = { db, now, declare: await reach(() => newDeclare(db, waits)) }
  const collections = newCollections(deps)
  const counters = newCounters(deps)
  const cards = newCardRows(deps)
  const log = newLog({ ...deps, instance, clock, storeClock, waits })
  const orphans = endAbandonedSessions({ client, clock: waits, warn })
  let closing: Promise<void> | undefined
  return {
    collection: (spec) => collections.collection(spec),
    commit: newCommit({ ...deps, client, collections, counters, cards }),
    count: (key, by, limit, expiresAt) => counters.add({ key, by, limit, expiresAt }),
    log,
    cards,
    holdings: newBulkAccess({
      db,
      requireAlone: () => requireExclusive(db, waits, instance),
      opened: (name) => collections.opened(name),
      ready: async () => {
        await Promise.all([log.ready(), cards.ready(), counters.ready()])
      },
    }),
    purge: async (at, limit) => {
      const documents = await collections.purge(at, limit)
      return documents + (await counters.purge(at, limit - documents))
    },
    close: () => {
      closing ??= Promise.all([log.close(), orphans.close()]).then(() => client.close())
      return closing
    },
  }
}
