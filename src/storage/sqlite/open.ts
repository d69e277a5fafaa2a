import { type Clock, systemClock } from '../../lib/clock.js'
import type { BulkReadableStorage, StoreFault } from '../bulk.js'
import type { Collection, CommitResult, Doc, LogPort, Operation, Spec, StoreState } from '../storage.js'
import { newFileHold } from './backup.js'
import { newBulkReader } from './bulk.js'
import { type CardSearch, newCardSearch } from './card-search.js'
import { hasTables } from './collection-tables.js'
import { type Collections, newCollections } from './collections.js'
import { type Counters, newCounters } from './counters.js'
import { closeDatabaseFile, FORMAT, openDatabaseAsIs, openDatabaseFile, openDatabaseToExamine } from './database-file.js'
import { newDisk } from './disk.js'
import { type GroupHooks, newGroupCommit } from './group-commit.js'
import { blockFaults, counterFaults, indexFaults, pageFaults, searchFaults } from './inspect.js'
import { newLog, type PrepareGroup } from './log.js'

export interface SqliteOptions extends Omit<GroupHooks, 'onFull'> {
  /** Created with its folder if missing; only its owner may read it. */
  readonly file: string
  readonly clock: Pick<Clock, 'now'>
  /** The file of the reserve for revocations on a full disk (disk.ts). Default: no reserve is kept. */
  readonly reserve?: string | undefined
  /** Called when the reserve was given up, or written again. */
  readonly onReserve?: ((isKept: boolean) => void) | undefined
  /** Called with what a read has left out because it is damaged. */
  readonly onDamage?: (text: string) => void
}

/** If nothing was committed for this time, `probe` writes. */
const IDLE_MS = 5000
const PROBE_SECONDS = 60

/**
 * Opens the embedded store: one file, locked by one process. Two servers in that process share this object.
 * A write is durable when its promise resolves; writes of the same event-loop turn share one commit.
 */
export async function openSqlite(options: SqliteOptions): Promise<BulkReadableStorage> {
  const disk = newDisk(options.file, options.reserve, options.onReserve)
  const db = await openDatabaseFile(options.file, disk.giveUpReserve)
  const commits = newGroupCommit(db, { ...options, onFull: disk.giveUpReserve })
  const now = () => options.clock.now()
  const collections = newCollections({ db, commits, now })
  const counters = newCounters(db, now)
  const cards = newCardSearch(db, commits, options.onDamage ?? (() => undefined))
  const prepareGroup: PrepareGroup = (operations) => {
    const prepared = operations.map((operation) => prepare({ collections, counters, cards }, operation))
    return () => prepared.findIndex((execute) => !execute())
  }
  let closing: Promise<void> | undefined
  const state = (): StoreState => {
    const { fault, needsRestart } = commits.state()
    return { fault, needsRestart, ...disk.state() }
  }
  const count: BulkReadableStorage['count'] = (key, by, limit, expiresAt) =>
    commits.write(() => {
      const result = counters.add({ key, by, limit, expiresAt })
      return { keep: result !== undefined, result }
    })
  return {
    state,
    probe: async () => {
      await disk.keepReserve()
      const { fault, committedMs } = commits.state()
      const isIdle = systemClock.monotonicMs() - committedMs >= IDLE_MS
      // `state` has the failure
      if (isIdle || fault !== undefined) await count('probe', 1, Number.MAX_SAFE_INTEGER, now() + PROBE_SECONDS).catch(() => undefined)
    },
    collection: (spec) => collections.collection(spec),
    commit: async (operations): Promise<CommitResult> => {
      const work = prepareGroup(operations)
      return commits.write<CommitResult>(() => {
        const failed = work()
        return failed === -1 ? { keep: true, result: { ok: true } } : { keep: false, result: { ok: false, failed } }
      })
    },
    count,
    log: newLog(db, commits, prepareGroup),
    cards: { search: cards.search, suggest: cards.suggest, summaries: cards.summaries, outdated: cards.outdated },
    bulk: newBulkReader(db, commits),
    holdFile: newFileHold(db, commits),
    purge: (at, limit) =>
      commits.write(() => {
        const documents = collections.purge(at, limit)
        return { keep: true, result: documents + counters.purge(at, limit - documents) }
      }),
    close: () => {
      closing ??= commits.close().then(() => closeDatabaseFile(db))
      return closing
    },
  }
}

/** The log and the documents of a file, as they are: nothing is checked, and nothing is written. */
interface StoredFile extends Pick<BulkReadableStorage, 'bulk'> {
  readonly log: LogPort
  /** A collection to read from. Call it only if `hasCollection`. */
  collection<D extends Doc>(spec: Spec<D>): Collection<D>
  /** False if the file lacks the collection, or another release has made its indexes. */
  hasCollection(spec: Spec<Doc>): boolean
  /** The damage of each part, apart from the blocks of the log and the documents of the collections. */
  faults(specs: readonly Spec<Doc>[]): readonly (readonly [part: StoreFault['part'], faults: Iterable<StoreFault>])[]
  pageFaults(): Generator<StoreFault>
  close(): void
}

/** Opens an existing file, which no other process uses, to examine it. A copy of this process may get another journal mode; no other file changes. */
export function openStoredFile(file: string, { isOwnCopy = false }: { readonly isOwnCopy?: boolean } = {}): StoredFile {
  const { db, close } = isOwnCopy ? openCopy(file) : openDatabaseToExamine(file)
  const commits = newGroupCommit(db, {})
  const refuseToWrite: PrepareGroup = () => {
    throw new Error('a file that is examined is not written')
  }
  const collections = newCollections({ db, commits, now: () => 0 })
  return {
    collection: collections.collection,
    hasCollection: (spec) => hasTables(db, spec),
    log: newLog(db, commits, refuseToWrite),
    bulk: newBulkReader(db, commits),
    pageFaults: () => pageFaults(db),
    faults: (specs) => {
      const hasCards = specs.some(({ name }) => name === 'cards') && Number(db.one('PRAGMA user_version')?.user_version) === FORMAT
      const indexes = specs.map((spec) => ['index', indexFaults(db, spec)] as const)
      // Search rows of an older format are made anew at the next start
      const search = hasCards ? ([['search', searchFaults(db)]] as const) : []
      return [['pages', pageFaults(db)], ['log', blockFaults(db)], ...indexes, ['documents', counterFaults(db)], ...search]
    },
    close,
  }
}

function openCopy(file: string): ReturnType<typeof openDatabaseToExamine> {
  const db = openDatabaseAsIs(file)
  return { db, close: () => closeDatabaseFile(db) }
}

/** Validates the operation before anything is written. The function that it returns does it; false if it could not be done. */
function prepare(stores: { collections: Collections; counters: Counters; cards: CardSearch }, operation: Operation): () => boolean {
  switch (operation.kind) {
    case 'insert':
    case 'change':
    case 'take':
      return stores.collections.prepare(operation)
    case 'count':
      return () => stores.counters.add(operation) !== undefined
    case 'index-card':
      return () => {
        stores.cards.index(operation.cardId, operation.rows)
        return true
      }
  }
}
