// The socket file on which `credence admin backup` asks a running registry to hold the file of its store still. The registry answers `held`, or why
// not, in one line. The hold ends with the connection, so a command that was killed leaves nothing behind.
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { isRefusal } from '../errors.js'
import { listenOnSocket } from '../lib/io/unix-socket.js'
import type { Log } from '../lib/log.js'
import type { BulkReadableStorage } from '../storage/bulk.js'

export const backupSocket = (dataDirectory: string): string => join(dataDirectory, 'backup.sock')

/** The line that says that the file holds still. */
export const HELD = 'held'

interface BackupDeps {
  readonly dataDirectory: string
  readonly holdFile: NonNullable<BulkReadableStorage['holdFile']>
  readonly log: Log
}

/** Answers backup commands, one at a time. Call `close` before the store is closed. */
export async function answerBackups({ dataDirectory, holdFile, log }: BackupDeps): Promise<{ close(): Promise<void> }> {
  let running: Promise<void> | undefined
  const hold = async (socket: Socket): Promise<void> => {
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    // Without a reader the end of the connection is never seen
    socket.resume()
    const release = await holdFile().catch((error: unknown) => {
      socket.end(`${isRefusal(error) ? error.message : 'the store cannot be held still; the log of the registry says why'}\n`)
      log.error('the store cannot be held still for a backup', error)
    })
    if (release === undefined) return
    log.info('a backup of the store has begun')
    socket.write(`${HELD}\n`)
    await closed
    await release()
    log.info('a backup of the store has ended')
  }
  const onConnection = (socket: Socket): void => {
    if (running !== undefined) {
      socket.end('another backup is in progress\n')
      return
    }
    running = hold(socket)
      .catch((error: unknown) => log.error('a backup of the store has failed', error))
      .finally(() => {
        running = undefined
      })
  }
  try {
    const { close } = await listenOnSocket(backupSocket(dataDirectory), onConnection)
    return {
      close: async () => {
        await close()
        await running
      },
    }
  } catch (error) {
    // The path may be too long for a socket, or the disk may have none
    log.warn('credence admin backup is not possible while this registry runs, because the socket file cannot be created', {
      error: String(error),
    })
    return { close: async () => undefined }
  }
}
