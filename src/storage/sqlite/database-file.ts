// The file of the embedded store: creates it with its schema, locks it for one process, and checks it at the start.
import { existsSync, rmSync } from 'node:fs'
import { mkdir, realpath } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { refuse } from '../../errors.js'
import { requirePrivate } from '../../lib/io/private-file.js'
import { CARD_SEARCH_SCHEMA, UPGRADE_CARD_SEARCH } from './card-entries.js'
import { createPrivateDatabase, type Database, filesOf, openDatabase, SQLITE_FULL, sqliteCode } from './database.js'

/** The format of the file (`user_version`). Raise it with any change of SCHEMA. Files of other formats are refused. */
export const FORMAT = 6
/** The oldest format that this release can read. Only card search has changed since: its tables are filled again at the first start. */
export const FIRST_FORMAT = 5
/** `application_id`: "Cred". */
export const APPLICATION = 0x43726564

/** Enough for the pages that an hour of token exchanges reads repeatedly. Memory is allocated as pages are read. */
const CACHE_KIB = 65_536
/**
 * The write-ahead log grows to 32 MiB before SQLite copies its pages into the database file: a page is copied once for many commits, and a start
 * after a crash still reads the whole log in well under a second.
 */
export const CHECKPOINT_PAGES = 8192

const SCHEMA = `
  CREATE TABLE collections (name TEXT PRIMARY KEY, definition TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE collection_indexes (collection TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (collection, name)) WITHOUT ROWID;
  CREATE TABLE counters (key TEXT PRIMARY KEY, sum NOT NULL, expires NOT NULL) WITHOUT ROWID;
  CREATE INDEX counters_expiry ON counters (expires);
  CREATE TABLE log_blocks (n INTEGER PRIMARY KEY, first INTEGER NOT NULL, until INTEGER, block TEXT NOT NULL);
  CREATE INDEX log_blocks_until ON log_blocks (until) WHERE until IS NOT NULL;
  CREATE INDEX log_blocks_first ON log_blocks (first);
  CREATE TABLE log_entries (id TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
  ${CARD_SEARCH_SCHEMA}`

/**
 * Opens and locks the file, which is created with its folder if it is missing. Refuses files that are damaged, of another format or in use. If the
 * disk is full, `onFull` may make space (true), and the file is prepared again.
 */
export const openDatabaseFile = async (file: string, onFull: () => boolean = () => false): Promise<Database> =>
  openLocked(await prepareFile(file), (db, path) => {
    try {
      prepareDatabase(db, path)
    } catch (error) {
      if (sqliteCode(error) !== SQLITE_FULL || !onFull()) throw error
      if (db.inTransaction) db.exec('ROLLBACK')
      // On the same connection, because a closed one keeps its lock until it is garbage-collected
      prepareDatabase(db, path)
    }
  })

/**
 * Opens an existing file, which no other process uses, to examine it. Not a byte of it changes: after a crash the commits in the write-ahead log
 * are read where they are. Without such a log the file is opened as immutable, because SQLite would create one.
 */
export function openDatabaseToExamine(file: string): { readonly db: Database; close(): void } {
  if (!existsSync(file)) refuse('unavailable', `${file} does not exist`)
  for (const name of filesOf(file)) requirePrivate(name)
  const [, wal = '', shm = '', journal = ''] = filesOf(file)
  // A commit that was interrupted in this mode must be undone before the file can be read
  if (existsSync(journal)) {
    const db = openDatabaseAsIs(file)
    return { db, close: () => closeDatabaseFile(db) }
  }
  const hadIndex = existsSync(shm)
  const db = openChecked(file, existsSync(wal) ? file : `${pathToFileURL(file).href}?immutable=1`)
  const close = () => {
    db.close()
    // The index of the write-ahead log, which reading it creates
    if (!hadIndex) rmSync(shm, { force: true })
  }
  return { db, close }
}

function openChecked(file: string, location: string): Database {
  let db: Database | undefined
  try {
    db = openDatabase(location, { readOnly: true })
    db.exec(`PRAGMA busy_timeout = 250; ${SAFE_READS}; PRAGMA cache_size = -${CACHE_KIB}`)
    if (identify(db, file) === 0) refuse('unavailable', `${file} is not a Credence database`)
    return db
  } catch (error) {
    db?.close()
    return refuseToOpen(file, error)
  }
}

/** Opens and locks an existing file to copy it, or to examine a copy that this process has made. Neither its format nor its content is changed or checked. */
export function openDatabaseAsIs(file: string): Database {
  if (!existsSync(file)) refuse('unavailable', `${file} does not exist`)
  for (const name of filesOf(file)) requirePrivate(name)
  return openLocked(file, (db) => {
    lock(db)
    if (identify(db, file) === 0) refuse('unavailable', `${file} is not a Credence database`)
    db.exec('COMMIT')
  })
}

async function prepareFile(given: string): Promise<string> {
  if (given === '' || given === ':memory:') throw new Error(`the embedded store needs the path of a file, not "${given}"`)
  await mkdir(dirname(resolve(given)), { recursive: true, mode: 0o700 })
  // Only the owner may read the file: it contains the registry's private keys
  createPrivateDatabase(given)
  return realpath(given)
}

function openLocked(file: string, prepare: (db: Database, file: string) => void): Database {
  let db: Database | undefined
  try {
    db = openDatabase(file)
    prepare(db, file)
    return db
  } catch (error) {
    if (db?.inTransaction) db.exec('ROLLBACK')
    db?.close()
    return refuseToOpen(file, error)
  }
}

function refuseToOpen(file: string, error: unknown): never {
  switch (sqliteCode(error)) {
    case 5: // SQLITE_BUSY
      return refuse('unavailable', `${file} is in use by another process: only one registry process can open it`)
    case 8: // SQLITE_READONLY
      return refuse('unavailable', `${file} cannot be written: the file or its disk is read-only`)
    case 10: // SQLITE_IOERR
      return refuse(
        'unavailable',
        `${file} cannot be read or written: its disk is read-only after an unclean end, or fails; make it writable, or replace it`,
      )
    case 11: // SQLITE_CORRUPT
      return refuse('unavailable', `${file} is damaged: replace it by a backup and run: credence admin restore`)
    case SQLITE_FULL:
      return refuse('unavailable', `${file} cannot be written: its disk is full`)
    case 14: // SQLITE_CANTOPEN
      return refuse('unavailable', `${file} cannot be opened by this user: run the command as the owner of the file`)
    case 26: // SQLITE_NOTADB
      return refuse('unavailable', `${file} is not a Credence database`)
    default:
      throw error
  }
}

/** For files that may be damaged. */
const SAFE_READS = 'PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY'

/** Begins a transaction. */
function lock(db: Database): void {
  // Must come before the first access: the lock is then held until `closeDatabaseFile` or the end of the process, even by a crash
  db.exec('PRAGMA busy_timeout = 250; PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; PRAGMA mmap_size = 0')
  db.exec(SAFE_READS)
  db.exec('PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON')
  db.exec(`PRAGMA cache_size = -${CACHE_KIB}; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
  db.exec('BEGIN EXCLUSIVE')
}

function prepareDatabase(db: Database, file: string): void {
  lock(db)
  const format = identify(db, file)
  const damage = pragma(db, 'quick_check(1)')
  if (damage !== 'ok')
    refuse('unavailable', `${file} is damaged (${String(damage)}): replace it by a backup and run: credence admin restore`)
  if (format === 0) db.exec(`${SCHEMA} PRAGMA application_id = ${APPLICATION};`)
  if (format === FIRST_FORMAT) db.exec(UPGRADE_CARD_SEARCH)
  db.exec(`PRAGMA user_version = ${FORMAT}`)
  db.exec('COMMIT')
  expectPragma(db, 'journal_mode = WAL', 'wal')
  expectPragma(db, 'synchronous', 2)
  expectPragma(db, 'mmap_size', 0)
  expectPragma(db, 'locking_mode', 'exclusive')
}

/** The format of the file, or 0 if it is empty. Refuses files of other applications and other formats. */
function identify(db: Database, file: string): number {
  const format = Number(pragma(db, 'user_version'))
  const application = pragma(db, 'application_id')
  const isEmpty = db.one('SELECT 1 FROM sqlite_master LIMIT 1') === undefined
  if (isEmpty && format === 0 && application === 0) return 0
  if (application !== APPLICATION) return refuse('unavailable', `${file} is not a Credence database`)
  if (format > FORMAT)
    return refuse(
      'unavailable',
      `${file} was written by a newer release of Credence (format ${format}; this release reads format ${FORMAT})`,
    )
  if (format < FIRST_FORMAT)
    return refuse(
      'unavailable',
      `${file} was written by an older release of Credence (format ${format}; this release reads format ${FORMAT}): start with an empty folder`,
    )
  return format
}

/**
 * Closes the file and releases its lock. The driver keeps the connection and its lock until the statements are garbage-collected, and an
 * exclusive lock taken before the first access is held as long as the file is in WAL mode. So the mode is changed before the file is closed.
 */
export function closeDatabaseFile(db: Database): void {
  try {
    db.exec('PRAGMA journal_mode = DELETE; PRAGMA locking_mode = NORMAL; SELECT 1 FROM sqlite_master')
  } finally {
    db.close()
  }
}

const pragma = (db: Database, name: string) => Object.values(db.one(`PRAGMA ${name}`) ?? {})[0]

function expectPragma(db: Database, name: string, expected: string | number): void {
  const actual = pragma(db, name)
  if (actual !== expected) throw new Error(`PRAGMA ${name}: expected ${expected}, SQLite returned ${String(actual)}`)
}
