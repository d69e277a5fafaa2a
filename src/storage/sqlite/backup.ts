// Copies the file of a store. While a registry runs, another process copies: SQLite's backup from the registry's own connection would make each of
// its statements wait for a step of the copy. So the registry holds the file still: what it commits stays in the write-ahead log meanwhile, and the
// file has the state of the moment when the hold began.
//
// Limit: a hold ends by itself once HELD_PAGES were written meanwhile, so that the write-ahead log is bounded. The copy then notices it and fails.
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { refuse } from '../../errors.js'
import { type Database, openDatabase } from './database.js'
import { CHECKPOINT_PAGES, closeDatabaseFile, openDatabaseAsIs } from './database-file.js'
import type { GroupCommit } from './group-commit.js'

/** 256 MiB. */
const HELD_PAGES = 65_536

/** Holds the file of the open store still until the returned function is called. */
export const newFileHold = (db: Database, commits: GroupCommit) => (): Promise<() => Promise<void>> =>
  commits.read(() => {
    checkpoint(db)
    db.exec(`PRAGMA wal_autocheckpoint = ${HELD_PAGES}`)
    return () =>
      commits.read(() => {
        db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
        checkpoint(db)
      })
  })

/** Writes all that is committed into the file. */
function checkpoint(db: Database): void {
  if (db.one('PRAGMA wal_checkpoint(TRUNCATE)')?.busy !== 0) throw new Error('the write-ahead log cannot be written into the file')
}

/** Copies the file of a store that another process holds still. Refuses if the file has changed meanwhile. */
export async function copyHeldFile(file: string, to: string): Promise<void> {
  const before = await stateOf(file)
  // Immutable: SQLite takes no lock, and does not look for a write-ahead log
  const source = openDatabase(`${pathToFileURL(resolve(file)).href}?immutable=1`, { readOnly: true })
  try {
    await source.copyTo(to)
  } finally {
    source.close()
  }
  if ((await stateOf(file)) !== before)
    refuse(
      'unavailable',
      'the store has changed while it was copied: the registry was restarted, or has written more than 256 MiB. Try again, to a faster disk',
    )
}

async function stateOf(file: string): Promise<string> {
  const { ino, size, mtimeNs } = await stat(file, { bigint: true })
  return `${ino} ${size} ${mtimeNs}`
}

/** Opens the file of a store that no process uses, with its write-ahead log. The file is locked until it is closed. */
export function openStoppedFile(file: string): { copyTo(to: string): Promise<void>; close(): void } {
  const source = openDatabaseAsIs(file)
  return { copyTo: source.copyTo, close: () => closeDatabaseFile(source) }
}
