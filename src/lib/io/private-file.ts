import { chmodSync, closeSync, openSync, statSync } from 'node:fs'
import { refuse } from '../../errors.js'
import { shellWord } from '../text.js'

/** The permissions of group and others. */
const SHARED = 0o077

/**
 * Sets mode 600 on an existing file that other users may read or write, such as a restored backup. Refuses the file if it belongs to
 * another user, or if its disk keeps no permissions. Windows has no such modes. A missing file is no fault, and a pipe is not checked.
 */
export function requirePrivate(file: string): void {
  const stats = statSync(file, { throwIfNoEntry: false })
  if (stats === undefined || !stats.isFile() || !isShared(stats.mode) || process.getuid === undefined) return
  if (stats.uid === process.getuid()) trySetPrivate(file)
  if (!isShared(statSync(file).mode)) return
  const mode = (stats.mode & 0o777).toString(8)
  refuse('unavailable', `${file} can be read or changed by other users (mode ${mode}); run as its owner: chmod 600 ${shellWord(file)}`)
}

/** Creates an empty file with mode 600; an existing file is treated as `requirePrivate` does. */
export function createPrivate(file: string): void {
  // An existing database must not be opened here: closing it would release the locks that this process has on it (POSIX fcntl)
  if (statSync(file, { throwIfNoEntry: false }) === undefined) closeSync(openSync(file, 'a', 0o600))
  requirePrivate(file)
}

const isShared = (mode: number): boolean => (mode & SHARED) !== 0

function trySetPrivate(file: string): void {
  try {
    chmodSync(file, 0o600)
  } catch (error) {
    // EPERM or EROFS, for example: the caller sees that the mode is unchanged
    if (!(error instanceof Error && 'code' in error)) throw error
  }
}
