import { digestOfJson } from '../../credentials/jose/digest.js'
import { DamagedStore } from '../../errors.js'
import { statementOf } from '../../identity/keys/find.js'
import { REGISTERED_KEYS, RegisteredKey } from '../../identity/keys/store.js'
import type { BulkReader, StoreFault } from '../../storage/bulk.js'
import { anySpec } from '../../storage/storage.js'
import { storedJson } from '../../storage/stored-json.js'
import { pages } from '../pages.js'
import type { FindEntry } from './log-entries.js'

/** Keys that are compared at a time: each reads a block of the log. */
const PAGE = 50

/**
 * Compares every registered key with the log entry of its registration, which has the digest of the key's statement. Finds a key that was written into the
 * store, and one that was changed there.
 */
export async function* registeredKeyFaults(bulk: Pick<BulkReader, 'documents'>, findEntry: FindEntry): AsyncGenerator<StoreFault> {
  for await (const page of pages((after) => bulk.documents(anySpec(REGISTERED_KEYS), { ...after, limit: PAGE, now: 0 }))) {
    const texts = await Promise.all(page.map(({ text }) => faultOf(text, findEntry)))
    for (const [i, { key }] of page.entries()) {
      const text = texts[i]
      if (text !== undefined) yield { part: 'keys', where: `${REGISTERED_KEYS.name}/${key}`, text, isDerived: false }
    }
  }
}

async function faultOf(text: string, findEntry: FindEntry): Promise<string | undefined> {
  try {
    const { data: key } = RegisteredKey.safeParse(storedJson(text, 'it'))
    if (key === undefined) return undefined // the check of the documents names it
    const entry = await findEntry(key.entry)
    if (entry === undefined) return `the log has no entry ${key.entry} of its registration`
    return entry.digest === digestOfJson(statementOf(key)) ? undefined : `it differs from what entry ${key.entry} of the log says`
  } catch (error) {
    if (error instanceof DamagedStore) return error.message
    throw error
  }
}
