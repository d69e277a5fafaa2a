import { isResourceId } from '../../protocol/ids.js'
import type { Operation } from '../../storage/storage.js'
import type { Introduction } from '../introductions/store.js'
import type { ResourcesStore } from './store.js'

interface PairDeps {
  readonly resources: Pick<ResourcesStore, 'openPairs'>
}

/** True if the resource has revoked an introduction of the pair: an open policy then asks. */
export const mustAsk = async ({ resources }: PairDeps, pair: string): Promise<boolean> =>
  (await resources.openPairs.get(pair))?.isRevoked === true

const MARK_SECONDS = 10 * 366 * 86_400

/** Operations for the commit of a revocation by the side of the target: the pair must ask from then on. None for an agent as the target. */
export async function markingRevoked(
  { resources: { openPairs } }: PairDeps,
  { pair, from, to }: Introduction,
  now: number,
): Promise<Operation[]> {
  if (!isResourceId(to)) return []
  const fields = { isRevoked: true, expiresAt: now + MARK_SECONDS } as const
  const known = await openPairs.get(pair)
  if (known?.isRevoked) return []
  return [known ? openPairs.changing(pair, { expiresAt: known.expiresAt }, fields) : openPairs.inserting({ id: pair, from, ...fields })]
}
