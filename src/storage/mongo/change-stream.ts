import type { ChangeStream, Collection } from 'mongodb'
import { newListeners } from '../../lib/listeners.js'
import type { StoredBlock } from './stored-block.js'

interface ChangeNotifier {
  notify(): void
  /** Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void
  /** Opens the change stream if there are listeners and none is open. Readers of the log call it at each read. */
  ensureWatching(): void
  close(): Promise<void>
}

/**
 * Notifies listeners of appended blocks: `notify` for appends of this instance, a change stream for those of other instances.
 * It may miss appends, which is harmless: the log is read by position, and polled.
 */
export function newChangeNotifier(blocks: Pick<Collection<StoredBlock>, 'watch'>, ready: () => Promise<void>): ChangeNotifier {
  const listeners = newListeners()
  let stream: ChangeStream | undefined
  let isStarting = false
  let isClosed = false
  const watch = async (): Promise<void> => {
    await ready()
    if (isClosed) return
    const opened = blocks.watch([
      { $match: { operationType: 'insert', 'documentKey._id': { $type: 'number' } } },
      { $project: { _id: 1, operationType: 1, documentKey: 1, ns: 1 } },
    ])
    stream = opened
    opened.on('change', listeners.notify)
    // Blocks may have been appended before the stream was open
    opened.once('resumeTokenChanged', listeners.notify)
    // The driver resumes by itself after a short outage. After a longer one the stream ends with an error
    opened.on('error', () => {
      if (stream === opened) stream = undefined
      void opened.close().catch(() => undefined)
    })
  }
  const ensureWatching = (): void => {
    if (listeners.size === 0 || stream !== undefined || isStarting) return
    isStarting = true
    void watch()
      .catch(() => undefined) // The database is unreachable: the next call tries again
      .finally(() => {
        isStarting = false
      })
  }
  return {
    notify: listeners.notify,
    onChange: (listener) => {
      const unsubscribe = listeners.add(listener)
      ensureWatching()
      return unsubscribe
    },
    ensureWatching,
    close: async () => {
      isClosed = true
      await stream?.close().catch(() => undefined)
    },
  }
}
