import { refuse } from '../../../errors.js'
import type { Operation } from '../../../storage/storage.js'
import { MAX_PENDING } from '../introduction.js'
import type { Introduction, IntroductionsStore } from '../store.js'

/** A slot below `max` that is not taken, by a hash of a random id: concurrent requests rarely choose the same. */
export function freeSlot(id: string, taken: readonly (number | undefined)[], max: number): number | undefined {
  const free = Array.from({ length: max }, (_, slot) => slot).filter((slot) => !taken.includes(slot))
  return free[[...id].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 65_521, 0) % free.length]
}

/** Returns a free slot, or refuses if there is none. */
export async function requireFreeSlot(
  { requestSlots }: IntroductionsStore,
  { id, from }: Pick<Introduction, 'id' | 'from'>,
): Promise<number> {
  const { items } = await requestSlots.find('from', { where: { from }, limit: MAX_PENDING })
  const taken = items.map(({ slot }) => slot)
  return (
    freeSlot(id, taken, MAX_PENDING) ??
    refuse(
      'conflict',
      `this agent has ${MAX_PENDING} pending requests, the maximum: withdraw one (introductions.revoke) or wait for a decision`,
    )
  )
}

/** Part of the commit that creates the request. Of two requests that picked the same slot, the second commit fails. */
export const reservingSlot = (
  { requestSlots }: IntroductionsStore,
  { id, from, pendingUntil }: Pick<Introduction, 'id' | 'from' | 'pendingUntil'>,
  slot: number,
): Operation => requestSlots.inserting({ id: `${from} ${slot}`, from, slot, introductionId: id, expiresAt: pendingUntil })

/** Part of the commit that decides the request. A slot that has expired may now belong to another request and is then not released. */
export async function releasingSlot(
  { requestSlots }: IntroductionsStore,
  { id, from, slot }: Pick<Introduction, 'id' | 'from' | 'slot'>,
): Promise<readonly Operation[]> {
  const occupied = slot === undefined ? undefined : await requestSlots.get(`${from} ${slot}`)
  return occupied?.introductionId === id ? [requestSlots.taking(occupied.id, { introductionId: id })] : []
}
