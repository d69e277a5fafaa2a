import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import { Jkt, type RegisteredKeyId } from '../../protocol/ids.js'
import type { KeyOwner } from '../../protocol/key-statement.js'
import type { Cursor, Operation } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { KeySlot, RegisteredKey, RegisteredKeysStore } from './store.js'

interface SlotDeps {
  readonly registeredKeys: RegisteredKeysStore
  readonly trustLog: Pick<TrustLog, 'ended'>
}

/** Maximum number of keys of one owner; a further registration is refused. */
export const MAX_KEYS = 32

/** Cursor before the first numbered slot: slots without a number come first in the index. */
const BEFORE_NUMBERED: Cursor = [0, '']

/** A slot that no key holds. `previousKeyId` is the revoked key that held it before, absent for a slot that was never used. */
interface FreeSlot {
  readonly id: string
  readonly number?: number
  readonly previousKeyId?: RegisteredKeyId
}

/** The two slots of an owner's first key. */
export const firstSlots = (owner: KeyOwner, jkt: Jkt): readonly FreeSlot[] => [{ id: `${owner} 0`, number: 0 }, { id: `${owner} ${jkt}` }]

/** The numbered slots of an owner. Each key that stands, or whose registration is pending, holds one of them. */
export const numberedSlots = async ({ slots }: RegisteredKeysStore, owner: KeyOwner): Promise<readonly KeySlot[]> =>
  (await slots.find('owner', { where: { owner }, after: BEFORE_NUMBERED, limit: MAX_KEYS })).items

/**
 * Finds the lowest free numbered slot and the key's own slot. Refuses a key that the owner has already registered, and an owner with
 * MAX_KEYS keys.
 */
export async function requireSlots(deps: SlotDeps, owner: KeyOwner, jkt: Jkt): Promise<readonly FreeSlot[]> {
  const [numbered, keySlot] = await Promise.all([
    numberedSlots(deps.registeredKeys, owner),
    deps.registeredKeys.slots.get(`${owner} ${jkt}`),
  ])
  if (keySlot && (await isTaken(deps, keySlot))) return refuse('already_exists', 'this key is already registered for this owner')
  const areTaken = await Promise.all(numbered.map((slot) => isTaken(deps, slot)))
  const taken = new Set(numbered.filter((_, i) => areTaken[i]).map((slot) => slot.number))
  const lowest = Array.from({ length: MAX_KEYS }, (_, i) => i).find((i) => !taken.has(i))
  if (lowest === undefined) return refuse('conflict', `an owner may have at most ${MAX_KEYS} keys; revoke one first`)
  const previous = numbered.find((slot) => slot.number === lowest)
  return [{ number: lowest, ...freeSlot(`${owner} ${lowest}`, previous) }, freeSlot(`${owner} ${jkt}`, keySlot)]
}

const freeSlot = (id: string, previous: KeySlot | undefined): FreeSlot => ({ id, ...(previous && { previousKeyId: previous.keyId }) })

/** True for a slot whose key stands or has a pending registration. */
const isTaken = async ({ registeredKeys, trustLog }: SlotDeps, { keyId, handle }: KeySlot): Promise<boolean> =>
  !trustLog.ended.has(handle) && (await registeredKeys.get(keyId)) !== undefined

/** The ids that a slot of a key may have: one with a number, or one without. */
export const slotIdsOf = ({ owner, jkt }: Pick<RegisteredKey, 'owner' | 'jkt'>, number: number | undefined): readonly string[] =>
  number === undefined ? [`${owner} ${jkt}`, bannedSlotId(jkt)] : [`${owner} ${number}`]

const BANNED = 'compromised '
const bannedSlotId = (jkt: Jkt): string => `${BANNED}${jkt}`

/** The thumbprint of a key that an earlier release banned by a slot. */
export const bannedBySlot = (slotId: string): Jkt | undefined =>
  slotId.startsWith(BANNED) ? Jkt.safeParse(slotId.slice(BANNED.length)).data : undefined

/** Bans a compromised key permanently and for every owner, because an attacker may have it. Banning a key again has no effect. */
export const banKey = async ({ banned }: Pick<RegisteredKeysStore, 'banned'>, jkt: Jkt): Promise<void> => {
  await banned.insert({ id: digestOfText(jkt) })
}

export const isCompromised = async ({ registeredKeys: { banned, slots } }: Pick<SlotDeps, 'registeredKeys'>, jkt: Jkt): Promise<boolean> =>
  (await Promise.all([banned.get(digestOfText(jkt)), slots.get(bannedSlotId(jkt))])).some((found) => found !== undefined)

/** Names the key in the log entry of its compromise, for a restore. The salt hides the key from readers of the log. */
export const compromiseDigestOf = ({ jkt, salt }: Pick<RegisteredKey, 'jkt' | 'salt'>): string => digestOfText(`compromised ${salt} ${jkt}`)

/** Operations for the commit that writes the key: of two registrations that found the same slot free, one commit succeeds. */
export const reservingSlots = (
  { slots }: RegisteredKeysStore,
  free: readonly FreeSlot[],
  { id: keyId, owner, handle }: RegisteredKey,
): readonly Operation[] =>
  free.map(({ previousKeyId, ...slot }) =>
    previousKeyId === undefined
      ? slots.inserting({ ...slot, owner, keyId, handle })
      : slots.changing(slot.id, { keyId: previousKeyId }, { keyId, handle }),
  )
