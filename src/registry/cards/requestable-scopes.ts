import { readCardJson } from '../../protocol/cards/card-model.js'
import type { AgentId } from '../../protocol/ids.js'
import type { Scope } from '../../protocol/rights.js'
import { scopesOf } from './card.js'
import { composeCard, type ViewTier } from './publishing/compose.js'
import type { CardsStore } from './store.js'

/**
 * The scopes and skills that a caller of a tier may request in an introduction: those that the caller can see.
 * The result does not show whether a missing scope or skill is non-public or unknown.
 */
export interface Requestable {
  readonly scopes: readonly Scope[]
  readonly skills: readonly string[]
}

export async function findRequestable(deps: { readonly cards: CardsStore }, agentId: AgentId, tier: ViewTier): Promise<Requestable> {
  const card = await deps.cards.get(agentId)
  const model = card && !card.unpublished ? readCardJson(composeCard(card, tier).json).model : undefined
  return model ? { scopes: scopesOf(model), skills: model.skills.map(({ id }) => id) } : { scopes: [], skills: [] }
}
