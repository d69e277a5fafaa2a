// The search rows of a card say what held when they were written: its verdict, and that its agent stands. Of several writers at once, the one that knows least
// must not be the last. So each writer reads the card, then takes a read barrier, and writes the rows in a commit that changes the card and fails if the card
// has changed since it was read. Whoever commits later has read the card later, and so knows every ending that the earlier one knew.
import { type FindTargetDeps, findIntroductionTarget } from '../../../identity/agents/find.js'
import { type FindNamespaceDeps, findProved } from '../../../identity/namespaces/find.js'
import { stands } from '../../../protocol/standing.js'
import type { Operation } from '../../../storage/storage.js'
import type { TrustLog } from '../../../trust-log/trust-log.js'
import type { Card } from '../card-record.js'
import { indexingRows, unindexingRows } from '../store.js'

export interface IndexingDeps extends FindTargetDeps, FindNamespaceDeps {
  readonly trustLog: Pick<TrustLog, 'ended' | 'readBarrier'>
}

/** Operations that replace the rows of a card that was read before. The commit must also change the card, guarded by `unchangedGuard` and with a new `changeId`. */
export async function indexingAsOfNow(deps: IndexingDeps, card: Card): Promise<readonly Operation[]> {
  await deps.trustLog.readBarrier()
  const agent = await findIntroductionTarget(deps, card.agentId)
  const isStanding = agent !== undefined && stands(deps.trustLog.ended, agent.dependencies.handles)
  return isStanding ? indexingRows(await asOfNow(deps, card)) : unindexingRows(card.agentId)
}

/** The card with the verdict that it has now, apart from an SD-JWT that has expired. */
async function asOfNow(deps: IndexingDeps, card: Card): Promise<Card> {
  const { namespace, ...rest } = card
  if (card.signer && deps.trustLog.ended.has(card.signer.handle)) return { ...rest, verdict: { ...card.verdict, state: 'revoked' } }
  const proved = namespace && (await findProved(deps, namespace.name))
  return proved?.ver === namespace?.ver ? card : rest
}
