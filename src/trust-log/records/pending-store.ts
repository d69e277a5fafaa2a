import { z } from 'zod'
import { Handle } from '../../protocol/handles.js'
import { EntryId } from '../../protocol/ids.js'
import { Proposal } from '../../protocol/log/entry.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'

/**
 * A write that was started and may not be finished. It has everything that another instance needs to complete it. `id` is the id of its first entry.
 */
export const Half = z.strictObject({
  id: EntryId,
  intent: z.enum(['begin', 'end']),
  /** Name of the HalfKind that reveals or drops it; `ending` for an ending. */
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

/** The open halves of all instances. */
export const halvesIn = (storage: Storage): Collection<Half> => storage.collection(HALVES)
