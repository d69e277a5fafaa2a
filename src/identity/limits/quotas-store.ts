import { z } from 'zod'
import { OrgId } from '../../protocol/ids.js'
import { type Collection, counting, type Operation, type OwnedSpec, type Storage } from '../../storage/storage.js'

/** The current generation of a quota. */
const Generation = z.strictObject({
  /** What is counted, and for whom: `tasks agt_…`. */
  id: z.string().max(128),
  orgId: OrgId,
  generation: z.string().max(32),
  /** How many rows could be created when the generation began. */
  free: z.int().min(1),
  limit: z.int().min(1),
  expiresAt: z.int(),
})
export type Generation = z.infer<typeof Generation>

export type QuotasStore = Collection<Generation>

export const QUOTAS: OwnedSpec<Generation> = {
  name: 'quotas',
  schema: Generation,
  key: 'id',
  indexes: {},
  expires: 'expiresAt',
  ownedBy: ['orgId'],
}

export const quotasStore = ({ storage }: { readonly storage: Storage }): QuotasStore => storage.collection(QUOTAS)

export const GENERATION_SECONDS = 30 * 86_400

/** The operation that counts a creation. The counter outlives the generation, so it never starts again while the generation is in use. */
export const countingIn = ({ id, generation, free, expiresAt }: Generation): Operation =>
  counting(`${id} ${generation}`, 1, free, expiresAt + GENERATION_SECONDS)
