import { refuse } from '../../errors.js'
import type { Jkt, RegisteredKeyId } from '../../protocol/ids.js'
import type { KeyOwner } from '../../protocol/key-statement.js'
import type { Cursor, Operation } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { findRegisteredKeys } from './find.js'
import type { KeySlot, RegisteredKey, RegisteredKeysStore } from './store.js'

export interface SlotDeps {
  readonly registeredKeys: RegisteredKeysStore
  readonly trustLog: Pick<TrustLog, 'ended'>
}

/** Keys of one owner that stand at once. */
export const MAX_KEYS = 32

/** The place of a key itself has no number, and stands first in the index. */
const FIRST: Cursor = [0, '']

/** A place that nobody holds, and whose it was. */
export interface FreeSlot {
  readonly id: string
  readonly n?: number
  readonly before?: RegisteredKeyId
}

/** The two places of a first key. */
export const firstSlots = (owner: KeyOwner, jkt: Jkt): readonly FreeSlot[] => [{ id: `${owner} 0`, n: 0 }, { id: `${owner} ${jkt}` }]

/** A number that no standing key of the owner has, and the key's own place: that it is not registered already. */
export async function requireSlots(deps: SlotDeps, owner: KeyOwner, jkt: Jkt): Promise<readonly FreeSlot[]> {
  const { places } = deps.registeredKeys
  const [numbered, own, known] = await Promise.all([
    places.find('owner', { where: { owner }, after: FIRST, limit: MAX_KEYS }),
    places.get(`${owner} ${jkt}`),
    findRegisteredKeys(deps, owner),
  ])
  // Earlier builds gave no places.
  const others = known.filter(({ id, handle }) => !deps.trustLog.ended.has(handle) && !numbered.items.some((one) => one.keyId === id))
  if ((own && (await isHeld(deps, own))) || others.some((one) => one.jkt === jkt))
    return refuse('already_exists', 'this key is registered for this owner already')
  const areHeld = await Promise.all(numbered.items.map((one) => isHeld(deps, one)))
  const taken = new Set(numbered.items.filter((_, i) => areHeld[i]).map(({ n }) => n))
  const n = Array.from({ length: MAX_KEYS }, (_, i) => i).find((i) => !taken.has(i))
  if (n === undefined || taken.size + others.length >= MAX_KEYS)
    return refuse('conflict', `an owner has ${MAX_KEYS} keys at most: end one first`)
  return [
    {
      n,
      ...freed(
        `${owner} ${n}`,
        numbered.items.find((one) => one.n === n),
      ),
    },
    freed(`${owner} ${jkt}`, own),
  ]
}

const freed = (id: string, place: KeySlot | undefined): FreeSlot => ({ id, ...(place && { before: place.keyId }) })

/** By a key that stands, or is about to. */
const isHeld = async ({ registeredKeys, trustLog }: SlotDeps, { keyId, handle }: KeySlot): Promise<boolean> =>
  !trustLog.ended.has(handle) && (await registeredKeys.collection.get(keyId)) !== undefined

const compromised = (jkt: Jkt): string => `compromised ${jkt}`

/** From now on nobody registers the key again, whoever's it was: a thief may have it. Said twice it is as good. */
export const banKey = async ({ places }: RegisteredKeysStore, { id, owner, handle, jkt }: RegisteredKey): Promise<void> => {
  await places.insert({ id: compromised(jkt), owner, keyId: id, handle })
}

export const isCompromised = async ({ registeredKeys }: Pick<SlotDeps, 'registeredKeys'>, jkt: Jkt): Promise<boolean> =>
  (await registeredKeys.places.get(compromised(jkt))) !== undefined

/** For the commit that writes the registered key: of two who found the same place free one gets it. */
export const reservingSlots = (
  { places }: RegisteredKeysStore,
  free: readonly FreeSlot[],
  { id: keyId, owner, handle }: RegisteredKey,
): readonly Operation[] =>
  free.map(({ before, ...place }) =>
    before === undefined
      ? places.inserting({ ...place, owner, keyId, handle })
      : places.changing(place.id, { keyId: before }, { keyId, handle }),
  )
