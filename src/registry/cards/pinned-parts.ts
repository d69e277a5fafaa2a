import type { Handle } from '../../protocol/handles.js'
import { type AgentId, type Audience, audienceOf } from '../../protocol/ids.js'
import type { Scope } from '../../protocol/rights.js'
import { type Ground, groundOf } from '../../protocol/standing.js'
import type { CardSearchPort } from '../../storage/storage.js'
import type { Reading } from '../../trust-log/records/cache.js'
import { isWhole } from '../../trust-log/records/records.js'
import type { CardsStore } from './store.js'

/** What of a card is current. */
export interface Relied {
  /** Of endpoint and security, then of each skill. */
  readonly versions: readonly Handle[]
  /** The enrolment that signed the card, where one did. */
  readonly ground: Ground
}

/** What callers rely on in an agent's current card. */
export interface Reliance extends Relied {
  readonly agentId: AgentId
  readonly audience: Audience
  readonly endpoint: string
  /** The scopes that its card lists. */
  readonly scopes: readonly Scope[]
  /** One version for endpoint and security, one for each skill by its id; a version ends when that part changes. */
  readonly core: Handle
  readonly skills: Readonly<Record<string, Handle>>
}

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
