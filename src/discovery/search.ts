import { type FindAgentDeps, findContact } from '../agents/find.js'
import { composeCard } from '../cards/compose.js'
import { verdictNow } from '../cards/get.js'
import type { Card, CardsStore } from '../cards/store.js'
import type { KeyRing } from '../keys/key-ring.js'
import { readCardJson } from '../protocol/card-model.js'
import type { Verdict } from '../protocol/card-view.js'
import { AgentId, type Audience, audienceOf, type OrgId } from '../protocol/ids.js'
import type { Scope } from '../protocol/rights.js'
import { stands } from '../protocol/standing.js'
import type { CardHits, CardSearchPort, CardTier } from '../storage/storage.js'
import type { Caller } from '../transport/caller.js'
import type { ServedTrustLog } from '../trust-log/trust-log.js'
import { openCursor, type SearchPlace, sealCursor } from './cursor.js'

export interface SearchDeps extends FindAgentDeps {
  readonly cards: CardsStore
  readonly cardSearch: CardSearchPort
  readonly trustLog: ServedTrustLog
  readonly keyRing: KeyRing
  readonly issuer: string
  /** Agents whose introduced tier the caller may see. */
  readonly introducedTo: (caller: Caller) => Promise<readonly AgentId[]>
}

export interface SearchInput {
  readonly text?: string | undefined
  readonly skill?: string | undefined
  readonly tags?: readonly string[] | undefined
  readonly limit: number
  readonly cursor?: string | undefined
}

/** A found agent, with all that a call needs. */
export interface Hit {
  readonly agentId: AgentId
  readonly orgId: OrgId
  readonly audience: Audience
  readonly endpoint?: string
  readonly scopes: readonly Scope[]
  readonly verdict: Verdict
  readonly tier: CardTier
  readonly score: number
  /** Prose and names by the publisher. */
  readonly text: { readonly name: string; readonly description: string; readonly version: string }
  readonly skills: readonly { readonly id: string; readonly name: string; readonly tags: readonly string[] }[]
}

export interface Found {
  readonly hits: readonly Hit[]
  /** Matching cards that the caller may see; one whose agent has ended is counted until it is unpublished. */
  readonly total: number
  readonly cursor?: string
}

const MAX_ROUNDS = 5
const MAX_WORDS = 16

/**
 * Filtered by entitlement before matching: each tier has its own index. Cards that the caller is introduced to come first, from their
 * own rows; then everybody's, from the rows of the caller's tier.
 */
export async function searchCards(deps: SearchDeps, caller: Caller | undefined, input: SearchInput): Promise<Found> {
  const { limit, cursor, ...asked } = input
  const query = { ...asked, caller: caller?.id ?? null }
  const secrets = deps.keyRing.secret('cursor')
  const tier: CardTier = caller ? 'authenticated' : 'public'
  const introduced = caller ? await deps.introducedTo(caller) : []
  let place: SearchPlace =
    cursor === undefined ? { pass: introduced.length > 0 ? 'introduced' : 'tier' } : await openCursor(secrets, query, cursor)

  const look = (pass: SearchPlace['pass'], count: number, after?: SearchPlace['after']): Promise<CardHits> =>
    deps.cardSearch.search({
      words: wordsOf(asked.text),
      ...(asked.skill !== undefined && { skill: asked.skill }),
      tags: asked.tags ?? [],
      tier: pass === 'introduced' ? 'introduced' : tier,
      ...(pass === 'introduced' && { cardIds: introduced }),
      limit: count,
      ...(after && { after }),
    })
  const hits: Hit[] = []
  let isMore = true
  for (let round = 0; round < MAX_ROUNDS && isMore && hits.length < limit; round++) {
    const wanted = limit - hits.length
    const page = await look(place.pass, wanted, place.after)
    const last = page.hits.at(-1)
    const shown = place.pass === 'tier' ? page.hits.filter(({ cardId }) => !introduced.some((one) => one === cardId)) : page.hits
    hits.push(...(await hitsOf(deps, shown, place.pass === 'introduced' ? 'introduced' : tier)))
    if (page.hits.length === wanted && last) place = { pass: place.pass, after: [last.score, last.cardId] }
    else if (place.pass === 'introduced') place = { pass: 'tier' }
    else isMore = false
  }
  const total = await totalOf(look, introduced.length > 0, introduced, deps, asked, tier)
  return { hits, total, ...(isMore && hits.length > 0 && { cursor: await sealCursor(secrets, query, place) }) }
}

/** Both passes, less what both find. */
async function totalOf(
  look: (pass: SearchPlace['pass'], count: number) => Promise<CardHits>,
  isIntroduced: boolean,
  introduced: readonly AgentId[],
  { cardSearch }: SearchDeps,
  asked: Omit<SearchInput, 'limit' | 'cursor'>,
  tier: CardTier,
): Promise<number> {
  const everybodys = (await look('tier', 1)).total
  if (!isIntroduced) return everybodys
  const own = (await look('introduced', 1)).total
  const both = await cardSearch.search({
    words: wordsOf(asked.text),
    ...(asked.skill !== undefined && { skill: asked.skill }),
    tags: asked.tags ?? [],
    tier,
    cardIds: introduced,
    limit: 1,
  })
  return everybodys + own - both.total
}

/** Words are taken literally; no operators, no wildcards. A text without any word finds nothing. */
function wordsOf(text = ''): string[] {
  const words = text.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '')
  return words.length > 0 || text.trim() === '' ? words.slice(0, MAX_WORDS) : [text]
}

async function hitsOf(deps: SearchDeps, found: CardHits['hits'], tier: CardTier): Promise<readonly Hit[]> {
  const hits = await Promise.all(
    found.map(async ({ cardId, score }): Promise<Hit | undefined> => {
      const agentId = AgentId.parse(cardId)
      const [card, contact] = await Promise.all([deps.cards.get(agentId), findContact(deps, agentId)])
      if (!card || card.unpublished || !contact || !stands(deps.trustLog.ended, contact.ground.on)) return undefined
      return hitOf(deps, card, tier, score)
    }),
  )
  return hits.filter((hit) => hit !== undefined)
}

function hitOf(deps: SearchDeps, card: Card, tier: CardTier, score: number): Hit | undefined {
  const model = readCardJson(composeCard(card, tier).json).model
  return (
    model && {
      agentId: card.agentId,
      orgId: card.orgId,
      audience: audienceOf(deps.issuer, card.agentId),
      ...(card.endpoint !== undefined && { endpoint: card.endpoint }),
      scopes: tier === 'introduced' ? card.allScopes : card.scopes,
      verdict: verdictNow(deps, card, deps.trustLog.now()),
      tier,
      score,
      text: { name: model.name, description: model.description, version: model.version },
      skills: model.skills.map(({ id, name, tags }) => ({ id, name, tags })),
    }
  )
}
