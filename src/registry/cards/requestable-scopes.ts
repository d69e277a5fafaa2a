import { readCardJson } from '../../protocol/cards/card-model.js'
import type { AgentId } from '../../protocol/ids.js'
import type { Scope } from '../../protocol/rights.js'
import { scopesOf } from './card.js'
import { composeCard, type ViewTier } from './publishing/compose.js'
import type { CardsStore } from './store.js'

/** What somebody of a tier can ask an introduction for: what it can see. Hidden and unknown are one answer. */
export interface Requestable {
  readonly scopes: readonly Scope[]
  readonly skills: readonly string[]
}

export async function findRequestable(deps: { readonly cards: CardsStore }, agentId: AgentId, tier: ViewTier): Promise<Requestable> {
  const card = await deps.cards.get(agentId)
  const model = card && !card.unpublished ? readCardJson(composeCard(card, tier).json).model : undefined
  return model ? { scopes: scopesOf(model), skills: model.skills.map(({ id }) => id) } : { scopes: [], skills: [] }
}
