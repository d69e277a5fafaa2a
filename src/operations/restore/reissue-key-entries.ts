import { digestOfJson } from '../../credentials/jose/digest.js'
import { statementOf } from '../../identity/keys/find.js'
import { newRetirementEntry } from '../../identity/keys/retire.js'
import { REGISTERED_KEYS } from '../../identity/keys/store.js'
import type { Random } from '../../lib/random.js'
import type { Handle } from '../../protocol/handles.js'
import { newId } from '../../protocol/ids.js'
import type { Proposal } from '../../protocol/log/entry.js'
import type { BulkReadableStorage } from '../../storage/bulk.js'
import { documentsOf } from '../documents.js'

const BATCH_KEYS = 200

/**
 * Returns an entry for each key in `standing` that registers the key again in the new epoch, and makes the key's record name that entry, too.
 * A caller that presents non-public parts of a card proves from the log that the publisher's key was registered, and a proof reaches back
 * only to the first entry of the epoch. The retirement of a key gets an entry of the new epoch, too.
 */
export async function reissueKeyEntries(
  storage: BulkReadableStorage,
  random: Random,
  { standing, epoch }: { readonly standing: ReadonlySet<Handle>; readonly epoch: Handle },
): Promise<readonly Proposal[]> {
  const registeredKeys = storage.collection(REGISTERED_KEYS)
  const entries: Proposal[] = []
  const reissue = async (key: string): Promise<void> => {
    const registeredKey = await registeredKeys.get(key)
    if (registeredKey === undefined || !standing.has(registeredKey.handle)) return
    const id = newId(random, 'ent')
    await registeredKeys.change(key, {}, { reissuedEntry: id })
    const digest = digestOfJson(statementOf(registeredKey))
    entries.push({ id, type: 'key.registered', ends: [], digest })
    if (registeredKey.retiresAt !== undefined) entries.push(newRetirementEntry(registeredKey, epoch))
  }
  let batch: Promise<void>[] = []
  for await (const { key } of documentsOf(storage, REGISTERED_KEYS)) {
    batch.push(reissue(key))
    if (batch.length < BATCH_KEYS) continue
    await Promise.all(batch)
    batch = []
  }
  await Promise.all(batch)
  return entries
}
