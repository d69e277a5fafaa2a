import { digestOfJson } from '../../credentials/jose/digest.js'
import { statementOf } from '../../identity/keys/find.js'
import { REGISTERED_KEYS, RegisteredKey } from '../../identity/keys/store.js'
import type { Entry } from '../../protocol/log/entry.js'
import type { BulkReader, StoreFault } from '../../storage/bulk.js'
import { anySpec, type LogPort } from '../../storage/storage.js'
import { pages } from '../pages.js'
import { findEntries } from './log-entries.js'

const PAGE = 500

/**
 * Compares every registered key with the log entry of its registration, which has the digest of the key's statement. Finds a key that was written into the
 * store, and one that was changed there. A document that is no key is left to the check of the documents.
 */
export async function* registeredKeyFaults(
  bulk: Pick<BulkReader, 'documents'>,
  log: Pick<LogPort, 'has' | 'read'>,
): AsyncGenerator<StoreFault> {
  for await (const page of pages((after) => bulk.documents(anySpec(REGISTERED_KEYS), { ...after, limit: PAGE, now: 0 }))) {
    const keys = page.flatMap(({ text }) => keyIn(text) ?? [])
    const entries = await findEntries(
      log,
      keys.map(({ entry }) => entry),
    )
    for (const key of keys) {
      const text = faultOf(key, entries.get(key.entry))
      if (text !== undefined) yield { part: 'keys', where: `${REGISTERED_KEYS.name}/${key.id}`, text, isDerived: false }
    }
  }
}

function faultOf(key: RegisteredKey, entry: Entry | undefined): string | undefined {
  if (entry === undefined) return `the log has no entry ${key.entry} of its registration`
  return entry.digest === digestOfJson(statementOf(key)) ? undefined : `it differs from what entry ${key.entry} of the log says`
}

function keyIn(text: string): RegisteredKey | undefined {
  try {
    return RegisteredKey.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
