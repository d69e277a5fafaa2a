// `credence admin backup`: a consistent copy of the SQLite file, also while the registry runs.
//
// 1. A running registry is asked, over the socket file in its data directory, to hold its file still. Without one the file is locked.
// 2. The file is copied under another name (lib/io/new-file.ts), with mode 600. Its pages and the end of its log are checked.
// 3. The copy gets its name, or is written to the stream. So a command that was interrupted leaves no file that looks like a backup.
//
// Cost: the file is read once; the copy is read once more. Limit: see storage/sqlite/backup.ts. Only Unix has the socket.
import { once } from 'node:events'
import { createReadStream, type ReadStream } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { refuse } from '../../errors.js'
import { incompleteName, publishNewFile, requireNewFile } from '../../lib/io/new-file.js'
import { connectToSocket } from '../../lib/io/unix-socket.js'
import { type Position, positionOf } from '../../protocol/log/entry.js'
import { backupSocket, HELD } from '../../server/backup-socket.js'
import type { Config } from '../../server/config.js'
import { requireStoreFile, storePath } from '../../server/open-store.js'
import { copyHeldFile, openStoppedFile } from '../../storage/sqlite/backup.js'
import { filesOf, isSqliteError } from '../../storage/sqlite/database.js'
import { toIso } from '../../trust-log/clock-skew.js'
import { requireSoundEnd } from '../check/sound-end.js'

interface BackupResult {
  /** The last entry of the log that the backup has, and its log time (ISO 8601). */
  readonly position: Position
  readonly time: string
  readonly bytes: number
  /** The registry went on while it was made. */
  readonly whileRunning: boolean
}

/** Writes a backup to a new file, or to a stream, which stays open. */
export async function backupStore(config: Config, to: string | NodeJS.WritableStream): Promise<BackupResult> {
  if (config.store !== undefined)
    refuse('bad_input', 'a store in MongoDB has no file to copy: use credence admin dump, or mongodump --oplog')
  requireStoreFile(config)
  if (typeof to === 'string') requireNewFile(to)
  // What is written to a stream is checked before, so it is copied beside the store first
  const partial = incompleteName(typeof to === 'string' ? to : join(config.dataDirectory, 'backup'))
  const source = await openSource(config)
  let result: BackupResult
  let unnamed: ReadStream | undefined
  try {
    await (await open(partial, 'wx', 0o600)).close()
    await source.copyTo(partial).catch((error: unknown) => {
      if (!isSqliteError(error)) throw error
      refuse('unavailable', `the copy cannot be written to ${partial}: ${String(error)}`)
    })
    const { head, bytes } = await requireSoundEnd(partial)
    const last = head.entries.at(-1)
    if (typeof to === 'string') await publishNewFile(partial, to)
    else unnamed = await openUnnamed(partial)
    const position = positionOf(head.epoch, head.first + head.entries.length - 1)
    result = { position, time: toIso(last?.time ?? 0), bytes, whileRunning: source.isRunning }
  } finally {
    await removePartial(partial)
    source.close()
  }
  // A slow reader does not keep the registry waiting
  if (unnamed && typeof to !== 'string') await pipeline(unnamed, to, { end: false })
  return result
}

/** A store that is held still or locked until `close`. */
interface Source {
  readonly isRunning: boolean
  copyTo(file: string): Promise<void>
  close(): void
}

async function openSource(config: Config): Promise<Source> {
  const file = storePath(config)
  const registry = await connectToSocket(backupSocket(config.dataDirectory))
  if (registry === undefined) return { isRunning: false, ...openStoppedFile(file) }
  const answer = await lineFrom(registry)
  if (answer !== HELD) refuse('unavailable', answer === '' ? 'the registry was stopped' : answer)
  return { isRunning: true, copyTo: (to) => copyHeldFile(file, to), close: () => registry.destroy() }
}

/** The first line that the registry sends; empty if it ends the connection. */
async function lineFrom(registry: Socket): Promise<string> {
  let text = ''
  registry.setEncoding('utf8')
  for await (const piece of registry.iterator({ destroyOnReturn: false })) {
    text += String(piece)
    if (text.includes('\n')) break
  }
  return text.split('\n')[0] ?? ''
}

/** Opens the copy and removes its name, so an interrupted command leaves nothing. */
async function openUnnamed(partial: string): Promise<ReadStream> {
  const copy = createReadStream(partial, { highWaterMark: 1_048_576 })
  await once(copy, 'open')
  await removePartial(partial)
  return copy
}

/** With the files that SQLite keeps beside it. */
async function removePartial(partial: string): Promise<void> {
  for (const file of filesOf(partial)) await rm(file, { force: true })
}
