import type { MongoClient } from 'mongodb'
import { type Clock, systemClock } from '../../lib/clock.js'
import type { Log } from '../../lib/log.js'
import type { BulkReadableStorage, LoadTarget } from '../bulk.js'
import { newLoadTarget, requireNoLoad } from './admin/load.js'
import { requireExclusive } from './admin/require-exclusive.js'
import { openSnapshot } from './admin/snapshot.js'
import { newBulkReader } from './bulk.js'
import { newCollections } from './collections.js'
import { newCounters } from './counters.js'
import { newEnsureSchema } from './ensure-schema.js'
import { newLog } from './log.js'
import { ensureSchemaVersion, requireRegistry } from './schema-version.js'
import { newCardRows } from './search/card-search.js'
import { endAbandonedSessions } from './session/abandoned-sessions.js'
import { newCommit } from './session/commit.js'
import { newCommitWithoutEntry } from './session/commit-without-entry.js'
import { connect } from './session/connect.js'
import { LOG_COLLECTION } from './stored-block.js'

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
  /** For an administrator's command: its operations may take up to an hour, an empty database is refused, and older releases can still start afterwards. */
  readonly isLongRunning?: boolean
  /** Measures the waits for other processes, which the clock of a test must not skip. Default: the machine's clock. */
  readonly waitClock?: Pick<Clock, 'now' | 'after'>
  readonly warn: Log['warn']
}

/** Opens the store for several machines: any number of instances, none of which leads, over one replica set. */
export async function openMongo({
  url,
  clock,
  storeClock = (serverTime) => serverTime.getTime(),
  instance,
  isExclusive = false,
  isLongRunning = false,
  waitClock = systemClock,
  warn,
}: MongoOptions): Promise<BulkReadableStorage> {
  const client = await connect({ url, warn, isLongRunning })
  try {
    if (isLongRunning) await requireRegistry(client.db())
    await ensureSchemaVersion(client.db(), { raises: !isLongRunning })
    await requireNoLoad(client.db())
    if (isExclusive) await requireExclusive(client.db(), waitClock)
    return openDatabase({ client, clock, storeClock, instance, waitClock, warn })
  } catch (error) {
    await client.close()
    throw error
  }
}

/** Opens a database to load a dump into it. Refuses while another instance uses it. */
export async function openMongoToLoad({
  url,
  clock,
  instance,
  warn,
}: Pick<MongoOptions, 'url' | 'clock' | 'instance' | 'warn'>): Promise<LoadTarget> {
  const client = await connect({ url, warn, isLongRunning: true })
  try {
    const db = client.db()
    await ensureSchemaVersion(db, { raises: false })
    await requireExclusive(db, systemClock)
    const storage = openDatabase({
      client,
      clock,
      storeClock: (serverTime) => serverTime.getTime(),
      instance,
      waitClock: systemClock,
      warn,
    })
    const ready = async () => storage.ready?.()
    return {
      storage,
      ...newLoadTarget({ db, name: instance, ready, requireExclusive: async () => storage.requireExclusive?.(), close: storage.close }),
    }
  } catch (error) {
    await client.close()
    throw error
  }
}

type DatabaseDeps = Required<Pick<MongoOptions, 'clock' | 'storeClock' | 'instance' | 'waitClock' | 'warn'>> & {
  readonly client: MongoClient
}

function openDatabase({ client, clock, storeClock, instance, waitClock, warn }: DatabaseDeps): BulkReadableStorage {
  const db = client.db()
  const now = () => clock.now()
  const deps = { db, now, ensureSchema: newEnsureSchema(db, waitClock) }
  const collections = newCollections(deps)
  const counters = newCounters(deps)
  const onDamage = (text: string) => warn(`${text}; it is left out. credence admin check says what to do`)
  const cards = newCardRows(deps, onDamage)
  const commit = newCommit({ client, collections, counters, cards, blocks: db.collection(LOG_COLLECTION) })
  const log = newLog({ ...deps, instance, clock, storeClock, waitClock, append: ({ groups, ...block }) => commit(groups, block) })
  const ready = async () => {
    await Promise.all([collections.ready(), log.ready(), cards.ready(), counters.ready()])
  }
  const abandonedSessions = endAbandonedSessions({ client, clock: waitClock, warn })
  let closing: Promise<void> | undefined
  return {
    collection: (spec) => collections.collection(spec),
    ready,
    commit: newCommitWithoutEntry(commit),
    count: (key, by, limit, expiresAt) => counters.add({ key, by, limit, expiresAt }),
    log,
    cards: { search: cards.search, suggest: cards.suggest, summaries: cards.summaries, outdated: cards.outdated },
    liveInstances: log.liveInstances,
    bulk: newBulkReader({ db, ready }),
    openSnapshot: async () => {
      await ready()
      return openSnapshot(client, ready)
    },
    requireExclusive: () => requireExclusive(db, waitClock, instance),
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
