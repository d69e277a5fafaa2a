import { cardType } from '../../credentials/agent-card/card-credential.js'
import type { Caller } from '../../http/caller.js'
import { findIntroductionTarget } from '../../identity/agents/find.js'
import { type AgentId, type Audience, audienceOf, type OrgId } from '../../protocol/ids.js'
import { type PublishDeps, requirePublisher } from './authority.js'

/** Values that the next version of an agent's card must contain. */
export interface NextCard {
  readonly version: number
  /** The published version; 0 if there is none. */
  readonly published: number
  readonly cardSha256?: string | undefined
  readonly releaseNumber: number
  readonly orgId?: OrgId | undefined
  readonly sub: Audience
  readonly vct: string
}

/** Returns the version, release number and claims that the publisher signs next. */
export const nextCard = (deps: PublishDeps, caller: Caller, agentId: AgentId): Promise<NextCard> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => {
    await requirePublisher(deps, caller, agentId)
    const [card, agent] = await Promise.all([deps.cards.get(agentId), findIntroductionTarget(deps, agentId)])
    return {
      version: (card?.version ?? 0) + 1,
      published: card && !card.unpublished ? card.version : 0,
      cardSha256: card?.cardSha256,
      releaseNumber: (card?.releaseNumber ?? 0) + 1,
      orgId: agent?.orgId,
      sub: audienceOf(deps.issuer, agentId),
      vct: cardType(deps.issuer),
    }
  })
