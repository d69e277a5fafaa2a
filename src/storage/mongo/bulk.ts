import type { Db, Document, FindOptions } from 'mongodb'
import type { Block } from '../../protocol/log/entry.js'
import { storedBlockOf } from '../block-text.js'
import type { BulkPage, BulkReader, BulkSnapshot } from '../bulk.js'
import { decoded, encoded, type StoredDoc } from './codec.js'
import { COUNTERS, type Counter } from './counters.js'
import { SCHEMAS } from './schema-version.js'
import { CARD_ROWS } from './search/card-search.js'
import { CARD_WORDS } from './search/card-words.js'
import { callServer } from './session/errors.js'
import { LOG_COLLECTION, type StoredBlock } from './stored-block.js'

interface BulkReaderDeps {
  readonly db: Db
  /** Creates the collections that are open, and those of counters, card search and log. */
  readonly ready: () => Promise<void>
  /** Options of every read, such as a session. */
  readonly options?: FindOptions
  readonly call?: typeof callServer
}

const OWN_COLLECTIONS: readonly string[] = [COUNTERS.name, CARD_ROWS.name, CARD_WORDS.name, LOG_COLLECTION, SCHEMAS]

export function newBulkReader({ db, ready, options = {}, call = callServer }: BulkReaderDeps): BulkReader & Omit<BulkSnapshot, 'close'> {
  /** Reads documents of a collection in the order of `_id`. */
  const read = async <T extends Document>(name: string, filter: Document, page: FindOptions): Promise<T[]> => {
    await ready()
    return call(() =>
      db
        .collection(name)
        .find<T>(filter, { hint: { _id: 1 }, sort: { _id: 1 }, ...page, ...options })
        .toArray(),
    )
  }
  const blocks = async (filter: Document, page: FindOptions): Promise<Block[]> =>
    (await read<StoredBlock>(LOG_COLLECTION, filter, page)).map(({ _id, block }) => storedBlockOf(block, _id))
  return {
    collections: () =>
      callServer(async () => {
        const names = (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name)
        return names.filter((name) => !OWN_COLLECTIONS.includes(name))
      }),
    documents: async ({ name }, page) =>
      (await read<StoredDoc>(name, pageFilter(page), { limit: page.limit })).map(({ _id, text }) => ({ key: decoded(_id), text })),
    counters: async (page) =>
      (await read<Counter>(COUNTERS.name, pageFilter(page), { limit: page.limit })).map(({ _id, sum, expires }) => ({
        key: decoded(_id),
        sum,
        expiresAt: expires,
      })),
    head: async () => (await blocks({ _id: { $gte: 0 } }, { sort: { _id: -1 }, limit: 1 })).at(0),
    blocks: (from, limit) => blocks({ _id: { $gte: from } }, { limit }),
  }
}

const pageFilter = ({ after, now }: BulkPage): Document => ({
  expires: { $not: { $lte: now } },
  ...(after !== undefined && { _id: { $gt: encoded(after) } }),
})
