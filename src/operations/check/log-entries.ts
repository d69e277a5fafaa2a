import type { EntryId } from '../../protocol/ids.js'
import type { Entry } from '../../protocol/log/entry.js'
import type { LogPort } from '../../storage/storage.js'

/** Finds entries of a log that is not served. Each block that holds some of them is read once, one at a time. */
export async function findEntries(
  { has, read }: Pick<LogPort, 'has' | 'read'>,
  ids: readonly EntryId[],
): Promise<ReadonlyMap<EntryId, Entry>> {
  const wanted = new Set(ids)
  const numbers = new Set(await Promise.all([...wanted].map(has)))
  const found = new Map<EntryId, Entry>()
  for (const n of numbers) {
    const [block] = n === undefined ? [] : await read(n, 1)
    for (const entry of block?.entries ?? []) if (wanted.has(entry.id) && !found.has(entry.id)) found.set(entry.id, entry)
  }
  return found
}
