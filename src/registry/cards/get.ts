import type { Audit } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import { type Caller, isMemberOf } from '../../http/caller.js'
import type { IntroductionTarget } from '../../identity/agents/agent.js'
import { isRevoked } from '../../identity/agents/end-agent.js'
import { type FindAgentDeps, findIntroductionTarget } from '../../identity/agents/find.js'
import type { CardView } from '../../protocol/cards/card-view.js'
import type { AgentId } from '../../protocol/ids.js'
import { type Barrier, dependenciesOf, stands } from '../../protocol/standing.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Card } from './card-record.js'
import { type FreshnessStore, freshnessOf } from './freshness/store.js'
import type { CardsStore } from './store.js'
import { type EntitledCaller, entitledView, type PublishedCard, publicView, type ViewDeps } from './view.js'

export interface GetCardDeps extends FindAgentDeps, ViewDeps {
  readonly cards: CardsStore
  readonly audit: Audit
  readonly freshness: FreshnessStore
  /** Decides which tier of an agent's card an authenticated caller may see. */
  readonly entitle: (caller: Caller, agentId: AgentId) => Promise<Omit<EntitledCaller, 'caller'>>
}

/** The callers as whom a card can be seen, by what they see, least first. */
export const PREVIEWED = ['anonymous', 'authenticated', 'introduced'] as const
type Previewed = (typeof PREVIEWED)[number]

/**
 * Returns the parts of an agent's card that the caller may see, or those of a lower tier (`as`). The agent itself and the members of its organisation see every part that
 * was uploaded. An unknown id, a suspended agent and an unpublished card get the same refusal; the card of a revoked agent is `gone`.
 * Each view by an authenticated caller writes an audit row.
 */
export async function getCard(deps: GetCardDeps, caller: Caller | undefined, agentId: AgentId, as?: Previewed): Promise<CardView> {
  const view = await deps.trustLog.afterBarrier(caller?.barrier, async (barrier) => {
    const [found, freshness] = await Promise.all([requirePublishedCard(deps, agentId), deps.freshness.get(agentId)])
    const published = { ...found, ...(freshness && { freshness: freshnessOf(freshness) }) }
    if (!caller)
      return as === undefined || as === 'anonymous'
        ? publicView(deps, published, barrier)
        : refuse('invalid_token', 'without a token, a card is seen as an anonymous caller sees it')
    const isOwn = caller.id === agentId || isMemberOf(caller, published.card.orgId)
    const entitlement = isOwn ? { tier: 'introduced' as const, dependencies: dependenciesOf([]) } : await deps.entitle(caller, agentId)
    const view = await viewAs(deps, published, { caller, ...entitlement }, { as: as ?? entitlement.tier, barrier })
    await deps.audit.record(auditDraft(caller, 'cards.get', { subject: agentId, facts: { tier: view.tier, version: view.version } }))
    return view
  })
  if (caller) await deps.trustLog.requireStillStanding(caller.barrier, caller.dependencies.handles)
  return view
}

/** The card as callers of the tier `as` see it. A tier above the caller's own is refused, whether or not the card has more parts there. */
function viewAs(
  deps: GetCardDeps,
  published: PublishedCard,
  entitled: EntitledCaller,
  { as, barrier }: { readonly as: Previewed; readonly barrier: Barrier },
): Promise<CardView> {
  if (as === 'anonymous') return publicView(deps, published, barrier)
  if (as === entitled.tier) return entitledView(deps, published, entitled, barrier)
  if (as === 'introduced') refuse('forbidden', 'you are not introduced to this agent, so you cannot see its card as introduced callers do')
  // Without the introduction: its end does not end the view
  return entitledView(deps, published, { ...entitled, tier: as, dependencies: dependenciesOf([]) }, barrier)
}

/** Returns the published card of an agent that stands, and refuses otherwise. Call after the read barrier. */
export async function requirePublishedCard(deps: CardOfAgentDeps, agentId: AgentId): Promise<PublishedCard> {
  const { card, agent } = await requireAgentOfCard(deps, agentId)
  if (card.unpublished) return refuse('not_found', 'no such card')
  const organisation = await deps.organisations.get(card.orgId)
  return { card, agentName: agent.name, organisationName: organisation?.name ?? '', dependsOn: agent.dependencies.handles }
}

type CardOfAgentDeps = FindAgentDeps & { readonly cards: CardsStore; readonly trustLog: Pick<TrustLog, 'ended'> }

/** Returns the newest card of an agent that stands, which may be unpublished. Call after the read barrier. */
export async function requireAgentOfCard(
  deps: CardOfAgentDeps,
  agentId: AgentId,
): Promise<{ readonly card: Card; readonly agent: IntroductionTarget }> {
  const [card, agent] = await Promise.all([deps.cards.get(agentId), findIntroductionTarget(deps, agentId)])
  if (!card || !agent) return refuse('not_found', 'no such card')
  if (stands(deps.trustLog.ended, agent.dependencies.handles)) return { card, agent }
  // Everyone could read the card, so the response tells nobody that there was one
  if (!card.unpublished && (await isRevoked(deps, agentId))) refuse('gone', 'the agent of this card was revoked')
  return refuse('not_found', 'no such card')
}
