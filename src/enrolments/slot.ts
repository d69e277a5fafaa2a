import { refuse } from '../errors.js'
import type { KeyOwner } from '../protocol/enrolment-statement.js'
import type { Jkt } from '../protocol/ids.js'
import type { Place } from '../storage/storage.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import { findEnrolments } from './find.js'
import type { EnrolmentsStore } from './store.js'

export interface SlotDeps {
  readonly enrolments: EnrolmentsStore
  readonly trustLog: Pick<TrustLog, 'ended'>
}

/** Keys of one owner that stand at once. */
export const MAX_KEYS = 32

/** Keys that gave their slot up have none, and stand first in the index. */
const FIRST: Place = [0, '']

/**
 * A free slot for a key that its owner has not enrolled. Two who found the same one cannot both take it (the index is unique), nor
 * can one key take two. What an ended key holds is given up here, by whoever needs it.
 */
export async function requireSlot({ enrolments, trustLog }: SlotDeps, owner: KeyOwner, jkt: Jkt): Promise<number> {
  const { items } = await enrolments.collection.find('slot', { where: { owner }, after: FIRST, limit: MAX_KEYS })
  for (const { id, handle } of items)
    if (trustLog.ended.has(handle)) await enrolments.collection.change(id, {}, { slot: undefined, holds: undefined })
  // Earlier builds gave no slots.
  const others = (await findEnrolments({ enrolments }, owner)).filter(({ slot }) => slot === undefined)
  const standing = [...items, ...others].filter(({ handle }) => !trustLog.ended.has(handle))
  if (standing.some((one) => one.jkt === jkt)) refuse('already_exists', 'this key is enrolled for this owner already')
  const taken = new Set(standing.map(({ slot }) => slot))
  const free = Array.from({ length: MAX_KEYS }, (_, slot) => slot).find((slot) => !taken.has(slot))
  return standing.length < MAX_KEYS && free !== undefined
    ? free
    : refuse('conflict', `an owner has ${MAX_KEYS} keys at most: end one first`)
}
