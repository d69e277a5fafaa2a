import { type AgentId, audienceOf } from '../../protocol/ids.js'
import { groundOf } from '../../protocol/standing.js'
import type { CardSearchPort } from '../../storage/storage.js'
import type { Reading } from '../../trust-log/records/cache.js'
import { isWhole } from '../../trust-log/records/records.js'
import type { Reliance, Relied } from './card-record.js'
import type { CardsStore } from './store.js'

export interface RelianceDeps {
  readonly cards: CardsStore
  readonly issuer: string
}

/** What callers rely on in an agent's current card; undefined where it has none. Who decides checks that it stands. */
export const findReliance = async (deps: RelianceDeps, agentId: AgentId): Promise<Reliance | undefined> =>
  (await readReliance(deps, agentId))?.value

/** As it was read before, perhaps: versions that a change of hidden parts has begun may be missing. Who misses one reads anew. */
export const recallReliance = (deps: RelianceDeps, agentId: AgentId): Promise<Reliance | undefined> =>
  deps.cards.relied.recall(agentId, () => readReliance(deps, agentId))

async function readReliance(deps: RelianceDeps, agentId: AgentId): Promise<Reading<Reliance> | undefined> {
  const card = await deps.cards.get(agentId)
  if (!card || card.unpublished) return undefined
  const ground = groundOf(card.signer ? [card.signer.handle] : [])
  const versions = [card.core.ver, ...card.skills.map(({ ver }) => ver)]
  const value: Reliance = {
    agentId,
    audience: audienceOf(deps.issuer, agentId),
    endpoint: card.endpoint ?? '',
    scopes: card.allScopes,
    core: card.core.ver,
    versions,
    skills: Object.fromEntries(card.skills.map(({ id, ver }) => [id, ver])),
    ground,
  }
  return { value, on: [...versions, ...ground.on], isWhole: isWhole(card) }
}

/** The same of many cards, from their search rows of the `introduced` tier: a search reads no cards. */
export async function findRelied(
  { cardSearch }: { readonly cardSearch: Pick<CardSearchPort, 'shown'> },
  agentIds: readonly AgentId[],
): Promise<ReadonlyMap<string, Relied>> {
  const shown = await cardSearch.shown('introduced', agentIds)
  return new Map([...shown].map(([id, { versions, signer }]) => [id, { versions, ground: groundOf(signer ? [signer.handle] : []) }]))
}
