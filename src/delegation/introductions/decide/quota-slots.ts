import { refuse } from '../../../errors.js'
import type { Operation } from '../../../storage/storage.js'
import { MAX_PENDING } from '../introduction.js'
import type { Introduction, IntroductionsStore } from '../store.js'

/** A number that no waiting request of its agent has; not the first, so that requests at once do not all want the same. */
export async function requireSlot({ places }: IntroductionsStore, { id, from }: Pick<Introduction, 'id' | 'from'>): Promise<number> {
  const { items } = await places.find('from', { where: { from }, limit: MAX_PENDING })
  const taken = new Set(items.map(({ n }) => n))
  const free = Array.from({ length: MAX_PENDING }, (_, n) => n).filter((n) => !taken.has(n))
  // An id is random.
  const any = free[[...id].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 65_521, 0) % free.length]
  return any ?? refuse('conflict', `${MAX_PENDING} requests of this agent wait for an answer: end one first`)
}

/** For the commit that writes the request: of two who found the same number free one gets it. */
export const reservingSlot = ({ places }: IntroductionsStore, { id, from, pendingUntil }: Introduction, n: number): Operation =>
  places.inserting({ id: `${from} ${n}`, from, n, introductionId: id, until: pendingUntil })

/** For the commit that answers it. A place that has expired, and may be another's by now, is left. */
export async function releasingSlot({ places }: IntroductionsStore, { id, from, slot }: Introduction): Promise<readonly Operation[]> {
  const place = slot === undefined ? undefined : await places.get(`${from} ${slot}`)
  return place?.introductionId === id ? [places.taking(place.id, { introductionId: id })] : []
}
