import { z } from 'zod'
import { wellFormed } from '../../../lib/text.js'
import { Freshness } from '../../../protocol/cards/card-view.js'
import { AgentId, OrgId } from '../../../protocol/ids.js'
import type { Collection, OwnedSpec, Storage } from '../../../storage/storage.js'

/** The last check of a card. It exists from the first check on that its publisher asked for. */
const FreshnessRecord = z.strictObject({
  agentId: AgentId,
  orgId: OrgId,
  ...Freshness.shape,
  nextCheckAt: z.int(),
})
export type FreshnessRecord = z.infer<typeof FreshnessRecord>

export type FreshnessStore = Collection<FreshnessRecord>

export const FRESHNESS: OwnedSpec<FreshnessRecord> = {
  name: 'card-freshness',
  schema: FreshnessRecord,
  key: 'agentId',
  indexes: { due: { fields: ['nextCheckAt'] } },
  ownedBy: ['orgId'],
}

export const freshnessStore = ({ storage }: { readonly storage: Storage }): FreshnessStore => storage.collection(FRESHNESS)

/** The part of a record that readers of the card see. The query of an address may hold a secret of the publisher. */
export function freshnessOf({ agentId: _, orgId: __, nextCheckAt: ___, differs, ...freshness }: FreshnessRecord): Freshness {
  const { origin, pathname } = new URL(freshness.url)
  // An earlier release cut names inside surrogate pairs
  return { ...freshness, ...(differs && { differs: differs.map(wellFormed) }), url: origin + pathname }
}
