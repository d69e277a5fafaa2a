import { cardType } from '../../credentials/agent-card/card-credential.js'
import type { Caller } from '../../http/caller.js'
import { findIntroductionTarget } from '../../identity/agents/find.js'
import { type AgentId, type Audience, audienceOf, type OrgId } from '../../protocol/ids.js'
import { type PublishDeps, requirePublisher } from './authority.js'

/** What the next version of a card must say. */
export interface NextCard {
  readonly version: number
  /** The version that is published; 0 where none is. */
  readonly published: number
  readonly cardSha256?: string | undefined
  readonly releaseNumber: number
  readonly orgId?: OrgId | undefined
  readonly sub: Audience
  readonly vct: string
}

/** For whoever may publish it. */
export async function nextCard(deps: PublishDeps, caller: Caller, agentId: AgentId): Promise<NextCard> {
  await deps.trustLog.readBarrier()
  await requirePublisher(deps, caller, agentId)
  const [card, contact] = await Promise.all([deps.cards.get(agentId), findIntroductionTarget(deps, agentId)])
  return {
    version: (card?.version ?? 0) + 1,
    published: card && !card.unpublished ? card.version : 0,
    cardSha256: card?.cardSha256,
    releaseNumber: (card?.releaseNumber ?? 0) + 1,
    orgId: contact?.orgId,
    sub: audienceOf(deps.issuer, agentId),
    vct: cardType(deps.issuer),
  }
}
