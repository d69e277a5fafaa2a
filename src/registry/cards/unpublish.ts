import { auditRow } from '../../audit/audit-row.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { AgentId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import { type PublishDeps, requirePublisher } from './authority.js'
import { endedVersions, padWithDecoys } from './card.js'
import { unindexingRows } from './store.js'

/** Withdraws the card from readers and from search. Its pinned versions end, so no introduction to the agent can be used any more. */
export async function unpublishCard(deps: PublishDeps, caller: Caller, agentId: AgentId): Promise<{ position: Position }> {
  await deps.trustLog.readBarrier()
  const publisher = await requirePublisher(deps, caller, agentId, 'withdraw')
  const card = await deps.cards.get(agentId)
  if (!card || card.unpublished) return refuse('not_found', 'the agent has no published card')
  return deps.trustLog.end({
    type: 'card.unpublished',
    ends: padWithDecoys(endedVersions(card, undefined), deps.random).map((handle) => ({ handle })),
    intent: [
      deps.cards.collection.changing(agentId, { version: card.version, revision: card.revision, nextEntry: null }, { unpublished: true }),
      ...unindexingRows(agentId),
      deps.audit.recording(auditRow(caller, 'cards.unpublish', { orgId: publisher.orgId, subject: agentId })),
    ],
  })
}
