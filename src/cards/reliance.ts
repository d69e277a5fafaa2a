import type { Handle } from '../protocol/handles.js'
import { type AgentId, type Audience, audienceOf } from '../protocol/ids.js'
import type { Scope } from '../protocol/rights.js'
import { type Ground, groundOf } from '../protocol/standing.js'
import type { CardSearchPort } from '../storage/storage.js'
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
    versions: [card.core.ver, ...card.skills.map(({ ver }) => ver)],
    skills: Object.fromEntries(card.skills.map(({ id, ver }) => [id, ver])),
    ground: groundOf(card.signer ? [card.signer.handle] : []),
  }
}

/** The same of many cards, from their search rows of the `introduced` tier: a search reads no cards. */
export async function findRelied(
  { cardSearch }: { readonly cardSearch: Pick<CardSearchPort, 'shown'> },
  agentIds: readonly AgentId[],
): Promise<ReadonlyMap<string, Relied>> {
  const shown = await cardSearch.shown('introduced', agentIds)
  return new Map([...shown].map(([id, { versions, signer }]) => [id, { versions, ground: groundOf(signer ? [signer.handle] : []) }]))
}
