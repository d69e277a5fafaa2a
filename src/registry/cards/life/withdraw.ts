import type { AuditDraft } from '../../../audit/audit.js'
import { refuse } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import type { RevocationReason } from '../../../protocol/end-reason.js'
import type { AgentId } from '../../../protocol/ids.js'
import type { Ending, EntryType, Position } from '../../../protocol/log/entry.js'
import type { Operation } from '../../../storage/storage.js'
import { type PublishDeps, requirePublisher } from '../authority.js'
import type { Card } from '../card-record.js'

const MAX_ATTEMPTS = 10

/** The operations that withdraw a card, or a version of it, and the handles that end with it. One of the operations must fail if the card has changed since it was read. */
export interface Withdrawal {
  readonly ends: readonly Ending[]
  readonly operations: readonly Operation[]
}

interface Withdrawing {
  readonly type: EntryType
  readonly draft: (orgId: Card['orgId']) => AuditDraft
  readonly because: RevocationReason
  readonly withdrawalOf: (card: Card) => Withdrawal | Promise<Withdrawal>
}

/**
 * Withdraws the agent's card, or a version of it. If the card is changed at the same time, it is read again, so that no connection is left that
 * began meanwhile; after MAX_ATTEMPTS such changes the call is refused with `conflict`.
 */
export async function withdraw(
  deps: PublishDeps,
  caller: Caller,
  agentId: AgentId,
  { type, draft, because, withdrawalOf }: Withdrawing,
): Promise<{ position: Position }> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (attempt > 0) await deps.trustLog.readBarrier()
    const { orgId } = await requirePublisher(deps, caller, agentId, 'withdraw')
    const card = (await deps.cards.get(agentId)) ?? refuse('not_found', 'the agent has no published card')
    const { ends, operations } = await withdrawalOf(card)
    const committed = await deps.trustLog.commit({
      type,
      ends,
      dependsOn: [],
      operations: [...operations, ...deps.audit.recordingEnd(draft(orgId), { ends, ...because })],
    })
    if (committed.outcome !== 'committed') continue
    await deps.notifyOfChanges(agentId)
    return { position: committed.position }
  }
  return refuse('conflict', `the card was changed concurrently ${MAX_ATTEMPTS} times; try again`)
}
