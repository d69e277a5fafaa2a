import type { ChangeStream, Collection } from 'mongodb'
import { deepFreeze } from '../../lib/deep-freeze.js'
import { newListeners } from '../../lib/listeners.js'
import { Block } from '../../protocol/log/entry.js'
import type { StoredBlock } from './stored-block.js'

interface ChangeNotifier {
  notify(block: Block): void
  /** Returns a function that unsubscribes. */
  onChange(listener: (block?: Block) => void): () => void
  /** Opens the change stream if there are listeners and none is open. Readers of the log call it at each read. */
  ensureWatching(): void
  close(): Promise<void>
}

/**
 * Notifies listeners of appended blocks: `notify` for appends of this instance, a change stream for those of other instances. The stream carries
 * the block, so that other instances apply it without a read; only blocks that a majority has are in it.
 * It may miss appends, which is harmless: the log is read by position, and polled.
 */
export function newChangeNotifier(blocks: Pick<Collection<StoredBlock>, 'watch'>, ready: () => Promise<void>): ChangeNotifier {
  const listeners = newListeners<Block | undefined>()
  let stream: ChangeStream | undefined
  let isStarting = false
  let isClosed = false
  const watch = async (): Promise<void> => {
    await ready()
    if (isClosed) return
    const opened = blocks.watch([
      { $match: { operationType: 'insert', 'documentKey._id': { $type: 'number' } } },
      { $project: { _id: 1, operationType: 1, documentKey: 1, ns: 1, 'fullDocument.block': 1 } },
    ])
    stream = opened
    opened.on('change', (change) => listeners.notify(blockIn(change)))
    // Blocks may have been appended before the stream was open
    opened.once('resumeTokenChanged', () => listeners.notify(undefined))
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

/** The block of a change event; undefined for an event without one. */
function blockIn(change: object): Block | undefined {
  const document = 'fullDocument' in change ? change.fullDocument : undefined
  const text = typeof document === 'object' && document !== null && 'block' in document ? document.block : undefined
  return typeof text === 'string' ? deepFreeze(Block.parse(JSON.parse(text))) : undefined
}
