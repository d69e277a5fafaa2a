import type { EntryId } from '../../protocol/ids.js'
import type { Entry } from '../../protocol/log/entry.js'
import type { LogPort } from '../../storage/storage.js'

/** Finds entries of a log that is not served. */
export type FindEntry = (id: EntryId) => Promise<Entry | undefined>

export const entryFinder =
  ({ has, read }: Pick<LogPort, 'has' | 'read'>): FindEntry =>
  async (id) => {
    const n = await has(id)
    const [block] = n === undefined ? [] : await read(n, 1)
    return block?.entries.find((entry) => entry.id === id)
  }
