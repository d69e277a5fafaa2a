import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import type { AgentId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import { type PublishDeps, requirePublisher } from './authority.js'
import { unindexingRows } from './store.js'

/** Withdraws the card from readers and from search. No introduction to the agent can be used until a card is published and the agent approves again. */
export async function unpublishCard(
  deps: PublishDeps,
  caller: Caller,
  agentId: AgentId,
  because: RevocationReason,
): Promise<{ position: Position }> {
  const publisher = await requirePublisher(deps, caller, agentId, 'withdraw')
  const card = await deps.cards.get(agentId)
  if (!card || card.unpublished) return refuse('not_found', 'the agent has no published card')
  // Whatever depends on a tier of the card depends on its connection too
  const ends = [{ handle: card.versions.connection }]
  const draft = auditDraft(caller, 'cards.unpublish', { orgId: publisher.orgId, subject: agentId })
  const ended = await deps.trustLog.end({
    type: 'card.unpublished',
    ends,
    operations: [
      deps.cards.changing(agentId, { version: card.version, revision: card.revision }, { unpublished: true }),
      ...unindexingRows(agentId),
      ...deps.audit.recordingEnd(draft, { ends, ...because }),
    ],
  })
  await deps.notifyOfChanges(agentId)
  return ended
}
