import { digestOfJson } from '../../credentials/jose/digest.js'
import { statementOf } from '../../identity/keys/find.js'
import type { Random } from '../../lib/random.js'
import type { Handle } from '../../protocol/handles.js'
import { newId } from '../../protocol/ids.js'
import type { Proposal } from '../../protocol/log/entry.js'
import type { ReadableStorage } from '../../storage/bulk.js'
import { anySpec } from '../../storage/storage.js'
import { openStores } from '../collections.js'
import { documentsOf } from '../documents.js'

const AT_ONCE = 200

/**
 * Who shows hidden parts of a card proves from the log that its key was registered, and a proof reaches no further back than the epoch. So each
 * key that stands is told again in the new one: its record names that entry from now on.
 */
export async function reissueKeyEntries(
  storage: ReadableStorage,
  random: Random,
  standing: ReadonlySet<Handle>,
): Promise<readonly Proposal[]> {
  const registeredKeys = openStores(storage).registeredKeys.collection
  const restated: Proposal[] = []
  const restate = async (key: string): Promise<void> => {
    const registeredKey = await registeredKeys.get(key)
    if (registeredKey === undefined || registeredKey.hidden !== undefined || !standing.has(registeredKey.handle)) return
    const id = newId(random, 'ent')
    await registeredKeys.change(key, {}, { entry: id })
    restated.push({
      id,
      type: 'key.registered',
      begins: [registeredKey.handle],
      ends: [],
      digest: digestOfJson(statementOf(registeredKey)),
    })
  }
  let waiting: Promise<void>[] = []
  for await (const { key } of documentsOf(storage, anySpec(registeredKeys.spec))) {
    waiting.push(restate(key))
    if (waiting.length < AT_ONCE) continue
    await Promise.all(waiting)
    waiting = []
  }
  await Promise.all(waiting)
  return restated
}
