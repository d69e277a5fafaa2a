import { mkdir, open, realpath } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { refuse } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'
import type { ReadableStorage } from '../bulk.js'
import type { CommitResult, Operation } from '../storage.js'
import { newBulkAccess } from './bulk.js'
import { CARD_SEARCH_SCHEMA, CARD_SHOWN_SCHEMA, type CardSearch, newCardSearch } from './card-search.js'
import { type Collections, newCollections } from './collections.js'
import { type Counters, newCounters } from './counters.js'
import { type Database, openDatabase, sqliteCode } from './database.js'
import { type GroupHooks, newGroupCommit } from './group-commit.js'
import { newLog } from './log.js'

export interface SqliteOptions extends GroupHooks {
  /** Created, with its folder, where it is not there; readable by its owner alone. */
  readonly file: string
  readonly clock: Pick<Clock, 'now'>
}

/** What this build writes into a file (`user_version`); a change of a table's form raises it. */
const FORMAT = 2
/** What brings a file of each earlier format to the next. */
const MIGRATIONS: Readonly<Record<number, string>> = { 1: CARD_SHOWN_SCHEMA }
/** `application_id`: "Cred". */
const APPLICATION = 0x43726564

/** The pages that an hour of exchanges touches again and again; taken as they are read. */
const CACHE_KIB = 65_536
/**
 * How far the write-ahead log grows before its pages are put into their places: 32 MiB, which a start after a crash reads in well under a second.
 * Pages are put once for all the commits that changed them meanwhile.
 */
const CHECKPOINT_PAGES = 8192

const SCHEMA = `
  CREATE TABLE collections (name TEXT PRIMARY KEY, declared TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE collection_indexes (collection TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (collection, name)) WITHOUT ROWID;
  CREATE TABLE counters (key TEXT PRIMARY KEY, sum NOT NULL, expires NOT NULL) WITHOUT ROWID;
  CREATE INDEX counters_expiry ON counters (expires);
  CREATE TABLE log_blocks (n INTEGER PRIMARY KEY, first INTEGER NOT NULL, block TEXT NOT NULL);
  CREATE INDEX log_blocks_first ON log_blocks (first);
  CREATE TABLE log_entries (id TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
  ${CARD_SEARCH_SCHEMA}`

/**
 * The embedded store: one file, held by one process (two servers in it share this object).
 * Everything is durable when it is answered; what is asked for in the same turn shares one commit.
 */
export async function openSqlite(options: SqliteOptions): Promise<ReadableStorage> {
  const file = await prepareFile(options.file)
  const db = openOwned(file)
  const commits = newGroupCommit(db, options)
  const now = () => options.clock.now()
  const collections = newCollections({ db, commits, now })
  const counters = newCounters(db, now)
  const cards = newCardSearch(db, commits)
  let closing: Promise<void> | undefined
  return {
    collection: (spec) => collections.collection(spec),
    commit: async (operations): Promise<CommitResult> => {
      const prepared = operations.map((operation) => prepare({ collections, counters, cards }, operation))
      return commits.write<CommitResult>(() => {
        const failed = prepared.findIndex((run) => !run())
        return failed === -1 ? { keep: true, answer: { ok: true } } : { keep: false, answer: { ok: false, failed } }
      })
    },
    count: (key, by, limit, expiresAt) =>
      commits.write(() => {
        const answer = counters.add({ key, by, limit, expiresAt })
        return { keep: answer !== undefined, answer }
      }),
    log: newLog(db, commits),
    cards: { search: cards.search, shown: cards.shown, unshown: cards.unshown },
    holdings: newBulkAccess(db, commits),
    purge: (at, limit) =>
      commits.write(() => {
        const documents = collections.purge(at, limit)
        return { keep: true, answer: documents + counters.purge(at, limit - documents) }
      }),
    close: () => {
      closing ??= commits.close().then(() => release(db))
      return closing
    },
  }
}

/** Checks the operation before anything is written; what it returns does it and says whether it held. */
function prepare(to: { collections: Collections; counters: Counters; cards: CardSearch }, operation: Operation): () => boolean {
  switch (operation.kind) {
    case 'insert':
    case 'change':
    case 'take':
      return to.collections.prepare(operation)
    case 'count':
      return () => to.counters.add(operation) !== undefined
    case 'index-card':
      return () => {
        to.cards.index(operation.row)
        return true
      }
    case 'unindex-card':
      return () => {
        to.cards.unindex(operation.cardId, operation.tier)
        return true
      }
  }
}

async function prepareFile(given: string): Promise<string> {
  if (given === '' || given === ':memory:') throw new Error('the storage needs a file')
  await mkdir(dirname(resolve(given)), { recursive: true, mode: 0o700 })
  // Private keys of the registry are kept in it. The write-ahead log takes over the file's mode.
  // Never opened where it is there: to close a file ends the locks that this process has on it (POSIX fcntl)
  const created = await open(given, 'ax', 0o600).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return undefined
    throw error
  })
  await created?.close()
  return realpath(given)
}

function openOwned(file: string): Database {
  const db = openDatabase(file)
  try {
    settle(db, file)
    return db
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK')
    db.close()
    switch (sqliteCode(error)) {
      case 5: // SQLITE_BUSY
        return refuse('unavailable', `${file} is in use by another process: one registry process holds its data`)
      case 8: // SQLITE_READONLY
        return refuse('unavailable', `${file} cannot be written: it, or its disk, is read-only`)
      case 11: // SQLITE_CORRUPT
        return refuse('unavailable', `${file} is damaged; put a backup in its place and run: credence admin restore`)
      case 13: // SQLITE_FULL
        return refuse('unavailable', `${file} cannot be written: its disk is full`)
      case 26: // SQLITE_NOTADB
        return refuse('unavailable', `${file} is not a Credence database`)
      default:
        throw error
    }
  }
}

function settle(db: Database, file: string): void {
  // Before the first access: then the lock is kept from here until it is released or the process ends, however it ends
  db.exec('PRAGMA busy_timeout = 250; PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; PRAGMA mmap_size = 0')
  db.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY')
  db.exec('PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON')
  db.exec(`PRAGMA cache_size = -${CACHE_KIB}; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
  db.exec('BEGIN EXCLUSIVE')
  const format = identify(db, file)
  const damage = pragma(db, 'quick_check(1)')
  if (damage !== 'ok')
    refuse('unavailable', `${file} is damaged (${String(damage)}); put a backup in its place and run: credence admin restore`)
  if (format === 0) db.exec(`${SCHEMA} PRAGMA application_id = ${APPLICATION};`)
  else for (let one = format; one < FORMAT; one++) db.exec(MIGRATIONS[one] ?? '')
  db.exec(`PRAGMA user_version = ${FORMAT}`)
  db.exec('COMMIT')
  expectPragma(db, 'journal_mode = WAL', 'wal')
  expectPragma(db, 'synchronous', 2)
  expectPragma(db, 'mmap_size', 0)
  expectPragma(db, 'locking_mode', 'exclusive')
}

/** The format of the file, 0 where it is empty; refuses one that is not ours, or of a format that this build does not know. */
function identify(db: Database, file: string): number {
  const format = Number(pragma(db, 'user_version'))
  const application = pragma(db, 'application_id')
  const isEmpty = db.one('SELECT 1 AS there FROM sqlite_master LIMIT 1') === undefined
  if (isEmpty && format === 0 && application === 0) return 0
  if (application !== APPLICATION) return refuse('unavailable', `${file} is not a Credence database`)
  if (format > FORMAT) return refuse('unavailable', `${file} was written by a newer Credence (format ${format}, this one knows ${FORMAT})`)
  if (format < FORMAT && MIGRATIONS[format] === undefined) return refuse('unavailable', `${file} has the unknown format ${format}`)
  return format
}

/**
 * Closes the file and gives up its lock. The driver keeps a connection, and so its lock, until its statements are collected;
 * and a lock taken before the first access in WAL mode is not given up while that mode lasts.
 */
function release(db: Database): void {
  try {
    db.exec('PRAGMA journal_mode = DELETE; PRAGMA locking_mode = NORMAL; SELECT 1 FROM sqlite_master')
  } finally {
    db.close()
  }
}

const pragma = (db: Database, name: string) => Object.values(db.one(`PRAGMA ${name}`) ?? {})[0]

function expectPragma(db: Database, name: string, expected: string | number): void {
  const actual = pragma(db, name)
  if (actual !== expected) throw new Error(`SQLite answers ${name} with ${String(actual)}, not ${expected}`)
}
