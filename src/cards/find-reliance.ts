import { type AgentId, audienceOf } from '../protocol/ids.js'
import { groundOf } from '../protocol/standing.js'
import type { Reading } from '../trust-log/memory.js'
import { isWhole } from '../trust-log/records.js'
import { versionsOf } from './card.js'
import type { Reliance } from './reliance.js'
import type { CardsStore } from './store.js'

export interface FindRelianceDeps {
  readonly cards: CardsStore
  readonly issuer: string
}

/** What callers rely on in an agent's current card; undefined where it has none. Who decides checks that it stands. */
export const findReliance = (deps: FindRelianceDeps, agentId: AgentId): Promise<Reliance | undefined> =>
  deps.cards.reliances.recall(agentId, () => readReliance(deps, agentId))

async function readReliance(deps: FindRelianceDeps, agentId: AgentId): Promise<Reading<Reliance> | undefined> {
  const card = await deps.cards.get(agentId)
  if (!card || card.unpublished) return undefined
  const ground = groundOf(card.signer ? [card.signer.handle] : [])
  const value: Reliance = {
    agentId,
    audience: audienceOf(deps.issuer, agentId),
    endpoint: card.endpoint ?? '',
    scopes: card.allScopes,
    core: card.core.ver,
    skills: Object.fromEntries(card.skills.map(({ id, ver }) => [id, ver])),
    ground,
  }
  return { value, on: [...versionsOf(card), ...ground.on], isWhole: isWhole(card) }
}
