import type { MongoClient } from 'mongodb'
import { type Clock, systemClock } from '../../lib/clock.js'
import type { Log } from '../../lib/log.js'
import type { BulkWriter } from '../bulk.js'
import type { Storage } from '../storage.js'
import { requireExclusive } from './admin/require-exclusive.js'
import { newBulkWriter, requireNoCopy } from './bulk.js'
import { newCollections } from './collections.js'
import { newCounters } from './counters.js'
import { newEnsureSchema } from './ensure-schema.js'
import { newLog } from './log.js'
import { ensureSchemaVersion, requireRegistry } from './schema-version.js'
import { newCardRows } from './search/card-search.js'
import { endAbandonedSessions } from './session/abandoned-sessions.js'
import { newCommit } from './session/commit.js'
import { connect } from './session/connect.js'
import { callServer } from './session/errors.js'

export interface MongoOptions {
  /** `mongodb://…` or `mongodb+srv://…`, with the name of the database. */
  readonly url: string
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>
  /** Converts the server's time to milliseconds. Tests override it to set the server's clock. */
  readonly storeClock?: (serverTime: Date) => number
  /** A name for this instance that no other instance has. */
  readonly instance: string
  /** Refuses to open the store while another instance uses it. For commands whose intermediate states no other instance may see. */
  readonly isExclusive?: boolean
  /** For an administrator's command: its operations may take up to an hour, and an empty database is refused unless `isImporting`. */
  readonly isLongRunning?: boolean
  /** For copying into the database. Without it, a database with an incomplete copy is refused. */
  readonly isImporting?: boolean
  /** Measures the waits for other processes, which the clock of a test must not skip. Default: the machine's clock. */
  readonly waitClock?: Pick<Clock, 'now' | 'after'>
  readonly warn: Log['warn']
}

export interface MongoStorage extends Storage {
  readonly bulk: BulkWriter
}

/** Opens the store for several machines: any number of instances, none of which leads, over one replica set. */
export async function openMongo({
  url,
  clock,
  storeClock = (serverTime) => serverTime.getTime(),
  instance,
  isExclusive = false,
  isLongRunning = false,
  isImporting = false,
  waitClock = systemClock,
  warn,
}: MongoOptions): Promise<MongoStorage> {
  const client = await connect({ url, warn, isLongRunning })
  try {
    if (isLongRunning && !isImporting) await requireRegistry(client.db())
    await ensureSchemaVersion(client.db())
    if (!isImporting) await requireNoCopy(client.db())
    if (isExclusive) await requireExclusive(client.db(), waitClock)
    return await openDatabase({ client, clock, storeClock, instance, waitClock, warn })
  } catch (error) {
    await client.close()
    throw error
  }
}

type DatabaseDeps = Required<Pick<MongoOptions, 'clock' | 'storeClock' | 'instance' | 'waitClock' | 'warn'>> & {
  readonly client: MongoClient
}

async function openDatabase({ client, clock, storeClock, instance, waitClock, warn }: DatabaseDeps): Promise<MongoStorage> {
  const db = client.db()
  const now = () => clock.now()
  const deps = { db, now, ensureSchema: await callServer(() => newEnsureSchema(db, waitClock)) }
  const collections = newCollections(deps)
  const counters = newCounters(deps)
  const cards = newCardRows(deps)
  const log = newLog({ ...deps, instance, clock, storeClock, waitClock })
  const abandonedSessions = endAbandonedSessions({ client, clock: waitClock, warn })
  let closing: Promise<void> | undefined
  return {
    collection: (spec) => collections.collection(spec),
    commit: newCommit({ ...deps, client, collections, counters, cards }),
    count: (key, by, limit, expiresAt) => counters.add({ key, by, limit, expiresAt }),
    log,
    cards,
    liveInstances: log.liveInstances,
    bulk: newBulkWriter({
      db,
      requireExclusive: () => requireExclusive(db, waitClock, instance),
      opened: (name) => collections.opened(name),
      ready: async () => {
        await Promise.all([log.ready(), cards.ready(), counters.ready()])
      },
    }),
    purge: async (nowSeconds, limit) => {
      const documents = await collections.purge(nowSeconds, limit)
      return documents + (await counters.purge(nowSeconds, limit - documents))
    },
    close: () => {
      closing ??= Promise.all([log.close(), abandonedSessions.close()]).then(() => client.close())
      return closing
    },
  }
}
