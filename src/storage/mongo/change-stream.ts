import type { ChangeStream, Collection } from 'mongodb'
import { newListeners } from '../../lib/listeners.js'
import type { StoredBlock } from './stored-block.js'

export interface ChangeNotifier {
  ring(): void
  listen(listener: () => void): () => void
  /** Begins to watch where somebody listens and nothing is watched: whoever reads the log calls it each time. */
  tend(): void
  close(): Promise<void>
}

/** Rings for this instance's appends at once, for the others' by a change stream. It may miss: the log is read by position, with a poll behind it. */
export function newChangeNotifier(blocks: Pick<Collection<StoredBlock>, 'watch'>, ready: () => Promise<void>): ChangeNotifier {
  const listeners = newListeners()
  let stream: ChangeStream | undefined
  let isStarting = false
  let isClosed = false
  const watch = async (): Promise<void> => {
    await ready()
    if (isClosed) return
    const own = blocks.watch([
      { $match: { operationType: 'insert', 'documentKey._id': { $type: 'number' } } },
      { $project: { _id: 1, operationType: 1, documentKey: 1, ns: 1 } },
    ])
    stream = own
    own.on('change', listeners.tell)
    // What was appended before it listened
    own.once('resumeTokenChanged', listeners.tell)
    // The driver resumes after what passes at once; a database that is away for longer ends the stream
    own.on('error', () => {
      if (stream === own) stream = undefined
      void own.close().catch(() => undefined)
    })
  }
  const tend = (): void => {
    if (listeners.size === 0 || stream !== undefined || isStarting) return
    isStarting = true
    void watch()
      .catch(() => undefined) // The database is away: whoever tends it next tries again
      .finally(() => {
        isStarting = false
      })
  }
  return {
    ring: listeners.tell,
    listen: (listener) => {
      const stop = listeners.add(listener)
      tend()
      return stop
    },
    tend,
    close: async () => {
      isClosed = true
      await stream?.close().catch(() => undefined)
    },
  }
}
