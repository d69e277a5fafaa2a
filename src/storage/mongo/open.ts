import type { MongoClient } from 'mongodb'
import type { Clock } from '../../lib/clock.js'
import type { Receiver } from '../holdings.js'
import type { Storage } from '../storage.js'
import { requireAlone } from './alone.js'
import { newCardRows } from './card-rows.js'
import { newCollections } from './collections.js'
import { newCommit } from './commit.js'
import { connect } from './connect.js'
import { newCounters } from './counters.js'
import { openDeclarations } from './declare.js'
import { reach } from './failures.js'
import { requireFormat } from './format.js'
import { newHoldings, requireWhole } from './holdings.js'
import { newLog } from './log.js'
import { endOrphans } from './orphans.js'

export interface MongoOptions {
  /** `mongodb://…` or `mongodb+srv://…`, with the database's name. */
  readonly url: string
  readonly clock: Pick<Clock, 'now'>
  /** Names this instance among others: any text that no other has. */
  readonly instance: string
  /** Refused while any other instance reads the log: for what nobody else may see half done. */
  readonly isAlone?: boolean
  /** For an administrator's command, which waits as long as it takes. */
  readonly isPatient?: boolean
  /** For a copy into it. Without, a database into which one is under way is refused. */
  readonly receives?: boolean
  readonly warn: (text: string, facts: object) => void
}

export interface MongoStorage extends Storage {
  readonly holdings: Receiver
}

/** The store for more than one machine: any number of instances over one replica set, none of which leads. */
export async function openMongo({
  url,
  clock,
  instance,
  isAlone = false,
  isPatient = false,
  receives = false,
  warn,
}: MongoOptions): Promise<MongoStorage> {
  const client = await connect(url, warn, isPatient)
  try {
    await requireFormat(client.db())
    if (!receives) await requireWhole(client.db())
    if (isAlone) await requireAlone(client.db())
    return await openDatabase({ client, clock, instance, warn })
  } catch (error) {
    await client.close()
    throw error
  }
}

async function openDatabase({
  client,
  clock,
  instance,
  warn,
}: Pick<MongoOptions, 'clock' | 'instance' | 'warn'> & { readonly client: MongoClient }): Promise<MongoStorage> {
  const db = client.db()
  const now = () => clock.now()
  const deps = { db, now, declare: await openDeclarations(db) }
  const collections = newCollections(deps)
  const counters = newCounters(deps)
  const cards = newCardRows(deps)
  const log = newLog(deps, instance)
  const orphans = endOrphans(client, warn)
  let closing: Promise<void> | undefined
  return {
    collection: (spec) => collections.collection(spec),
    commit: newCommit({ ...deps, client, collections, counters, cards }),
    count: (key, by, limit, expiresAt) => counters.add({ key, by, limit, expiresAt }),
    log,
    cards,
    holdings: newHoldings({
      db,
      opened: (name) => collections.opened(name),
      ready: async () => {
        await Promise.all([log.ready(), cards.ready(), counters.ready()])
      },
    }),
    purge: async (at, limit) => {
      let left = limit
      for (const { spec, docs, ready } of collections.all()) {
        if (spec.expires === undefined || left <= 0) continue
        await ready()
        const expired = await reach(() =>
          docs
            .find({ expires: { $lte: at } })
            .sort({ expires: 1 })
            .limit(left)
            .project({ _id: 1 })
            .toArray(),
        )
        if (expired.length === 0) continue
        const ids = expired.map(({ _id }) => String(_id))
        left -= (await reach(() => docs.deleteMany({ _id: { $in: ids }, expires: { $lte: at } }))).deletedCount
      }
      return limit - left + (await counters.purge(at, left))
    },
    close: () => {
      closing ??= Promise.all([log.close(), orphans.close()]).then(() => client.close())
      return closing
    },
  }
}
