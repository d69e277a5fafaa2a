import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import type { AgentId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import type { PublishDeps } from './authority.js'
import { unchangedGuard } from './card.js'
import { withdraw } from './life/withdraw.js'
import { unindexingRows } from './store.js'

/** Withdraws the card from readers and from search. No introduction to the agent can be used until a card is published and the agent approves again. */
export const unpublishCard = (
  deps: PublishDeps,
  caller: Caller,
  agentId: AgentId,
  because: RevocationReason,
): Promise<{ position: Position }> =>
  withdraw(deps, caller, agentId, {
    type: 'card.unpublished',
    draft: (orgId) => auditDraft(caller, 'cards.unpublish', { orgId, subject: agentId }),
    because,
    withdrawalOf: (card) =>
      card.unpublished
        ? refuse('not_found', 'the agent has no published card')
        : {
            // Whatever depends on a tier of the card depends on its connection too
            ends: [{ handle: card.versions.connection }],
            operations: [deps.cards.changing(agentId, unchangedGuard(card), { unpublished: true }), ...unindexingRows(agentId)],
          },
  })
