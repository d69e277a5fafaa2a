import { refuse } from '../../errors.js'
import type { EnrolmentId, Jkt } from '../../protocol/ids.js'
import type { KeyOwner } from '../../protocol/key-statement.js'
import type { Operation, Place } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { findEnrolments } from './find.js'
import type { Enrolment, EnrolmentsStore, KeyPlace } from './store.js'

export interface PlacesDeps {
  readonly enrolments: EnrolmentsStore
  readonly trustLog: Pick<TrustLog, 'ended'>
}

/** Keys of one owner that stand at once. */
export const MAX_KEYS = 32

/** The place of a key itself has no number, and stands first in the index. */
const FIRST: Place = [0, '']

/** A place that nobody holds, and whose it was. */
export interface FreePlace {
  readonly id: string
  readonly n?: number
  readonly before?: EnrolmentId
}

/** The two places of a first key. */
export const firstPlaces = (owner: KeyOwner, jkt: Jkt): readonly FreePlace[] => [{ id: `${owner} 0`, n: 0 }, { id: `${owner} ${jkt}` }]

/** A number that no standing key of the owner has, and the key's own place: that it is not enrolled already. */
export async function requirePlaces(deps: PlacesDeps, owner: KeyOwner, jkt: Jkt): Promise<readonly FreePlace[]> {
  const { places } = deps.enrolments
  const [numbered, own, known] = await Promise.all([
    places.find('owner', { where: { owner }, after: FIRST, limit: MAX_KEYS }),
    places.get(`${owner} ${jkt}`),
    findEnrolments(deps, owner),
  ])
  // Earlier builds gave no places.
  const others = known.filter(({ id, handle }) => !deps.trustLog.ended.has(handle) && !numbered.items.some((one) => one.enrolmentId === id))
  if ((own && (await isHeld(deps, own))) || others.some((one) => one.jkt === jkt))
    return refuse('already_exists', 'this key is enrolled for this owner already')
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

const freed = (id: string, place: KeyPlace | undefined): FreePlace => ({ id, ...(place && { before: place.enrolmentId }) })

/** By a key that stands, or is about to. */
const isHeld = async ({ enrolments, trustLog }: PlacesDeps, { enrolmentId, handle }: KeyPlace): Promise<boolean> =>
  !trustLog.ended.has(handle) && (await enrolments.collection.get(enrolmentId)) !== undefined

const compromised = (jkt: Jkt): string => `compromised ${jkt}`

/** From now on nobody enrols the key again, whoever's it was: a thief may have it. Said twice it is as good. */
export const keepOut = async ({ places }: EnrolmentsStore, { id, owner, handle, jkt }: Enrolment): Promise<void> => {
  await places.insert({ id: compromised(jkt), owner, enrolmentId: id, handle })
}

export const isCompromised = async ({ enrolments }: Pick<PlacesDeps, 'enrolments'>, jkt: Jkt): Promise<boolean> =>
  (await enrolments.places.get(compromised(jkt))) !== undefined

/** For the commit that writes the enrolment: of two who found the same place free one gets it. */
export const takingPlaces = (
  { places }: EnrolmentsStore,
  free: readonly FreePlace[],
  { id: enrolmentId, owner, handle }: Enrolment,
): readonly Operation[] =>
  free.map(({ before, ...place }) =>
    before === undefined
      ? places.inserting({ ...place, owner, enrolmentId, handle })
      : places.changing(place.id, { enrolmentId: before }, { enrolmentId, handle }),
  )
