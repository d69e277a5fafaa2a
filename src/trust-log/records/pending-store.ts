import { z } from 'zod'
import { Handle } from '../../protocol/handles.js'
import { EntryId } from '../../protocol/ids.js'
import { Proposal } from '../../protocol/log/entry.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'

/** What was set out to be done and is not yet known to be done, in full: anybody can complete it. Keyed by the id of its (first) entry. */
export const Half = z.strictObject({
  id: EntryId,
  intent: z.enum(['begin', 'end']),
  /** Which HalfKind reveals or drops it; of an ending: `ending`. */
  kind: z.string().max(64),
  key: z.string().max(512),
  proposals: z.array(Proposal).min(1).max(64),
  on: z.array(Handle).max(512),
  at: z.int().min(0),
})
export type Half = z.infer<typeof Half>

export const HALVES: OwnedSpec<Half> = {
  name: 'halves',
  schema: Half,
  key: 'id',
  indexes: { age: { fields: ['at'] }, place: { fields: ['kind', 'key', 'at'] } },
  ownedBy: 'registry',
}

/** Open halves of all instances, the oldest first. */
export const halvesIn = (storage: Storage): Collection<Half> => storage.collection(HALVES)
