import { type AgentId, audienceOf } from '../protocol/ids.js'
import { groundOf } from '../protocol/standing.js'
import type { Reliance } from './reliance.js'
import type { CardsStore } from './store.js'

/** What callers rely on in an agent's current card; undefined where it has none. Who decides checks that it stands. */
export async function findReliance(
  deps: { readonly cards: CardsStore; readonly issuer: string },
  agentId: AgentId,
): Promise<Reliance | undefined> {
  const card = await deps.cards.get(agentId)
  if (!card || card.unpublished) return undefined
  return {
    agentId,
    audience: audienceOf(deps.issuer, agentId),
    endpoint: card.endpoint ?? '',
    scopes: card.allScopes,
    core: card.core.ver,
    skills: Object.fromEntries(card.skills.map(({ id, ver }) => [id, ver])),
    ground: groundOf(card.signer ? [card.signer.handle] : []),
  }
}
