import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { ConcurrencyLimit } from '../../http/concurrency-limit.js'
import { type FindAgentDeps, findIntroductionTarget } from '../../identity/agents/find.js'
import { AgentId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import type { KeyRing } from '../../signing-keys/key-ring.js'
import type { CardHits, CardQuery, CardSearchPort, CardSummary, CardTier } from '../../storage/storage.js'
import type { ServedTrustLog } from '../../trust-log/trust-log.js'
import type { CardsStore } from '../cards/store.js'
import { openCursor, type SearchCursor, sealCursor } from './cursor.js'
import { type FoundAt, type Hit, hitOf, wordsOf } from './hit.js'

export interface SearchDeps extends FindAgentDeps {
  readonly cards: CardsStore
  readonly cardSearch: CardSearchPort
  readonly trustLog: ServedTrustLog
  readonly keyRing: KeyRing
  readonly issuer: string
  /** A search may cost the store much, and strangers may search: it has places of its own, so that everything else goes on. */
  readonly searches: Readonly<Record<'callers' | 'strangers', Pick<ConcurrencyLimit, 'run'>>>
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

export interface Found {
  /** May be fewer than asked for, or none, where there is a cursor still. */
  readonly hits: readonly Hit[]
  /** Matching cards that the caller may see, one whose agent has ended too until it is unpublished. Of very many the first 10,000 may be counted. */
  readonly total: number
  readonly cursor?: string
}

const MAX_ROUNDS = 5
/** Who has hung up meanwhile is noticed where requests are admitted. */
const isThere = () => true

/** For anybody; a token with `discovery:read` shows more. */
export async function searchCards(deps: SearchDeps, caller: Caller | undefined, input: SearchInput): Promise<Found> {
  if (caller && !caller.scopes.some((scope) => scope === 'discovery:read'))
    refuse('insufficient_scope', 'this call needs the scope discovery:read')
  // What an introduced caller may look among is read behind a fence of its own: to find may take longer than an answer keeps
  if (caller) await deps.trustLog.readBarrier()
  const places = caller ? deps.searches.callers : deps.searches.strangers
  return places.run(isThere, () => searchFor(deps, caller, input))
}

/**
 * Filtered by entitlement before matching: each tier has its own index. Cards that the caller is introduced to come first, from their
 * own rows; then everybody's, from the rows of the caller's tier.
 */
async function searchFor(deps: SearchDeps, caller: Caller | undefined, input: SearchInput): Promise<Found> {
  const { limit, cursor, ...asked } = input
  const query = { ...asked, caller: caller?.id ?? null }
  const secrets = deps.keyRing.secret('cursor')
  const tier: CardTier = caller ? 'authenticated' : 'public'
  const introduced = caller ? await deps.introducedTo(caller) : []
  let place: SearchCursor =
    cursor === undefined ? { pass: introduced.length > 0 ? 'introduced' : 'tier' } : await openCursor(secrets, query, cursor)

  const words = wordsOf(asked.text)
  const look = (of: Look): Promise<CardHits> =>
    deps.cardSearch.search({ words, ...(asked.skill !== undefined && { skill: asked.skill }), tags: asked.tags ?? [], ...of })
  const among = { introduced: { tier: 'introduced', cardIds: introduced }, tier: { tier } } as const
  const totals = new Map<SearchCursor['pass'], number>()
  const hits: Hit[] = []
  let isMore = true
  for (let round = 0; round < MAX_ROUNDS && isMore && hits.length < limit; round++) {
    const wanted = limit - hits.length
    const { pass, after, scored } = place
    const page = await look({
      ...among[pass],
      limit: wanted,
      ...(after && { after }),
      ...(scored && { scored: scored.map((i) => words[i] ?? '') }),
    })
    totals.set(pass, page.total)
    const last = page.hits.at(-1)
    const shown = pass === 'tier' ? page.hits.filter(({ cardId }) => !introduced.some((one) => one === cardId)) : page.hits
    const { tier: seen } = among[pass]
    hits.push(...(await deps.trustLog.afterBarrier(({ now }) => hitsOf(deps, shown, { tier: seen, words, now }))))
    if (page.hits.length === wanted && last)
      place = { pass, after: [last.score, last.cardId], ...(page.scored && { scored: page.scored.map((word) => words.indexOf(word)) }) }
    else if (pass === 'introduced') place = { pass: 'tier' }
    else isMore = false
  }
  const totalOf = async (of: Omit<Look, 'limit'>) => (await look({ ...of, limit: 1 })).total
  const totalIn = async (pass: SearchCursor['pass']) => totals.get(pass) ?? totalOf(among[pass])
  // Both passes, less what both find.
  const more = introduced.length === 0 ? 0 : (await totalIn('introduced')) - (await totalOf({ ...among.tier, cardIds: introduced }))
  return { hits, total: (await totalIn('tier')) + more, ...(isMore && { cursor: await sealCursor(secrets, query, place) }) }
}

type Look = Omit<CardQuery, 'words' | 'skill' | 'tags'>

async function hitsOf(deps: SearchDeps, found: CardHits['hits'], at: Omit<FoundAt, 'score'>): Promise<readonly Hit[]> {
  const hits = await Promise.all(
    found.map(async ({ cardId, score, shown }): Promise<Hit | undefined> => {
      const agentId = AgentId.parse(cardId)
      const [card, contact] = await Promise.all([currentOf(deps, agentId, at.tier, shown), findIntroductionTarget(deps, agentId)])
      if (!card || !contact || !stands(deps.trustLog.ended, contact.dependencies.handles)) return undefined
      return hitOf(deps, agentId, card, { ...at, score })
    }),
  )
  return hits.filter((hit) => hit !== undefined)
}

/** What ended with the next version of a card is not shown: that waits to be revealed, and whoever meets it completes it. */
async function currentOf(
  deps: SearchDeps,
  agentId: AgentId,
  tier: CardTier,
  shown: CardSummary | undefined,
): Promise<CardSummary | undefined> {
  if (!shown || stands(deps.trustLog.ended, shown.versions)) return shown
  await deps.cards.get(agentId)
  const now = (await deps.cardSearch.shown(tier, [agentId])).get(agentId)
  return now && stands(deps.trustLog.ended, now.versions) ? now : undefined
}
