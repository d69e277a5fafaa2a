import { z } from 'zod'
import type { OwnedSpec, Storage } from './storage.js'

/** `id`: the kind, the client or key that presented the id, and a `jti` of at most 256 characters. */
const ConsumedId = z.strictObject({ id: z.string().max(384), expiresAt: z.number() })
type ConsumedId = z.infer<typeof ConsumedId>

/** Records single-use ids, so that an assertion or a proof is accepted once. */
export interface ReplayCache {
  /**
   * Returns true for the first caller with this id; one atomic insert decides between concurrent callers.
   * Ids of different kinds do not collide. From `expiresAt` on nothing accepts the id anyway, clock skew included, so it may be forgotten.
   */
  consume(kind: 'assertion' | 'proof', id: string, expiresAt: number): Promise<boolean>
}

export const CONSUMED_IDS: OwnedSpec<ConsumedId> = {
  name: 'consumed-ids',
  schema: ConsumedId,
  key: 'id',
  indexes: {},
  expires: 'expiresAt',
  ownedBy: 'registry',
}

export function newReplayCache(storage: Storage): ReplayCache {
  const consumedIds = storage.collection(CONSUMED_IDS)
  return {
    consume: async (kind, id, expiresAt) => (await consumedIds.insert({ id: `${kind} ${id}`, expiresAt })) === 'inserted',
  }
}
