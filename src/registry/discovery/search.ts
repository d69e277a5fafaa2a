// Card search.
//
// Each tier has its own search index, which contains only the parts of a card that callers of that tier may see. A search runs in two
// phases. The first phase searches the `introduced` index, limited to the agents that the caller is introduced to; it is skipped for a
// caller without introductions. The second phase searches the index of the caller's own tier (`public` or `authenticated`) for all agents
// and skips those of the first phase. So entitlement is decided before words are matched, and neither order, score nor total shows what
// a caller may not see.
//
// Each store page is read behind a read barrier of its own; hits whose agent, introduction or card versions no longer stand are dropped from
// it. If a hit ends after that and the response is complete more than 250 ms after the barrier, the search is refused with
// `standing_unknown`. To fill a page of `limit` hits the store is read at most MAX_STORE_PAGES times; after that the page is returned short,
// with a cursor.
// Cost: at most MAX_STORE_PAGES + 3 store searches (three for the total). A card is read only if its search row has an ended version.
// Concurrent searches have a limit of their own for authenticated and for anonymous callers.
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { addressPrefix } from '../../http/limits/address-prefix.js'
import type { ConcurrencyLimit } from '../../http/limits/concurrency-limit.js'
import { type FindAgentDeps, findIntroductionTarget } from '../../identity/agents/find.js'
import type { NamespacesStore } from '../../identity/namespaces/store.js'
import type { Handle } from '../../protocol/handles.js'
import { AgentId } from '../../protocol/ids.js'
import { type Barrier, stands } from '../../protocol/standing.js'
import type { KeyRing } from '../../signing-keys/key-ring.js'
import type { CardHit, CardHits, CardQuery, CardSearchPort, CardSummary } from '../../storage/storage.js'
import type { ServedTrustLog } from '../../trust-log/trust-log.js'
import type { CardsStore } from '../cards/store.js'
import { proofOf } from '../cards/view.js'
import { type SearchCursor, signCursor, verifyCursor } from './cursor.js'
import { type Hit, type HitContext, hitOf, queryWords } from './hit.js'

export interface SearchDeps extends FindAgentDeps {
  readonly namespaces: NamespacesStore
  readonly cards: CardsStore
  readonly cardSearch: CardSearchPort
  readonly trustLog: ServedTrustLog
  readonly keyRing: KeyRing
  readonly issuer: string
  /** Searches are expensive and open to anonymous callers, so they have concurrency limits of their own. */
  readonly searchLimits: Readonly<Record<'authenticated' | 'anonymous', Pick<ConcurrencyLimit, 'run'>>>
  /** The agents whose `introduced` tier the caller may see, each with the handles that this depends on. */
  readonly introducedTo: (caller: Caller) => Promise<ReadonlyMap<AgentId, readonly Handle[]>>
}

interface SearchInput {
  readonly text?: string | undefined
  readonly skill?: string | undefined
  readonly tags?: readonly string[] | undefined
  /** Also find cards that were imported although they do not follow A2A. */
  readonly includeNonconformant?: boolean | undefined
  readonly limit: number
  readonly cursor?: string | undefined
}

export interface SearchResult {
  /** May be shorter than `limit`, or empty, while there is a cursor. */
  readonly hits: readonly Hit[]
  /**
   * Number of matching cards that the caller may see. It counts the card of a revoked agent for up to a minute more, and may stop at
   * 10,000.
   */
  readonly total: number
  readonly cursor?: string
}

const MAX_STORE_PAGES = 5
/** The concurrency limit of all requests has already rejected callers that disconnected. */
const isConnected = () => true

/** Searches published cards. Anonymous callers search public parts; a token needs the scope `discovery:read` and may find more. */
export async function searchCards(
  deps: SearchDeps,
  { caller, address }: { readonly caller: Caller | undefined; readonly address: string },
  input: SearchInput,
): Promise<SearchResult> {
  if (caller && !caller.scopes.some((scope) => scope === 'discovery:read'))
    refuse('insufficient_scope', 'this call needs the scope discovery:read')
  const limit = deps.searchLimits[caller ? 'authenticated' : 'anonymous']
  return limit.run(caller?.id ?? addressPrefix(address), isConnected, () => searchPhases(deps, caller, input))
}

async function searchPhases(deps: SearchDeps, caller: Caller | undefined, input: SearchInput): Promise<SearchResult> {
  const { limit, cursor, ...criteria } = input
  const cursorQuery = { ...criteria, caller: caller?.id ?? null }
  const secrets = deps.keyRing.secret('cursor')
  const introductions = caller ? await deps.introducedTo(caller) : new Map<AgentId, readonly Handle[]>()
  const introduced = [...introductions.keys()]
  let position: SearchCursor =
    cursor === undefined ? { phase: introduced.length > 0 ? 'introduced' : 'everyone' } : await verifyCursor(secrets, cursorQuery, cursor)

  const words = queryWords(criteria.text)
  const searchStore = (page: StorePage): Promise<CardHits> =>
    deps.cardSearch.search({
      words,
      ...(criteria.skill !== undefined && { skill: criteria.skill }),
      tags: criteria.tags ?? [],
      includeNonconformant: criteria.includeNonconformant === true,
      ...page,
    })
  const phases = {
    introduced: { tier: 'introduced', cardIds: introduced },
    everyone: { tier: caller ? 'authenticated' : 'public' },
  } as const
  const totals = new Map<SearchCursor['phase'], number>()
  const standing: StandingHit[] = []
  let barrier: Barrier | undefined
  let hasMore = true
  for (let pages = 0; pages < MAX_STORE_PAGES && hasMore && standing.length < limit; pages++) {
    const missing = limit - standing.length
    const { phase, after, scoredWords } = position
    const page = await searchStore({
      ...phases[phase],
      limit: missing,
      ...(after && { after }),
      ...(scoredWords && { scoredWords: scoredWords.map((index) => words[index] ?? '') }),
    })
    totals.set(phase, page.total)
    const last = page.hits.at(-1)
    const found = phase === 'everyone' ? page.hits.filter(({ cardId }) => !introduced.some((id) => id === cardId)) : page.hits
    const { tier } = phases[phase]
    const decided = await deps.trustLog.afterBarrier(barrier ?? caller?.barrier, async (barrier) => ({
      barrier,
      standing: await standingHits(deps, found, { introductions, tier, words, now: barrier.now }),
    }))
    barrier ??= decided.barrier
    standing.push(...decided.standing)
    if (page.hits.length === missing && last)
      position = {
        phase,
        after: [last.score, last.cardId],
        ...(page.scoredWords && { scoredWords: page.scoredWords.map((word) => words.indexOf(word)) }),
      }
    else if (phase === 'introduced') position = { phase: 'everyone' }
    else hasMore = false
  }
  const countOf = async (page: Omit<StorePage, 'limit'>) => (await searchStore({ ...page, limit: 1 })).total
  const totalOf = async (phase: SearchCursor['phase']) => totals.get(phase) ?? countOf(phases[phase])
  // The total of both phases, minus the cards that match in both.
  const onlyIntroduced =
    introduced.length === 0 ? 0 : (await totalOf('introduced')) - (await countOf({ ...phases.everyone, cardIds: introduced }))
  const total = (await totalOf('everyone')) + onlyIntroduced
  const next = hasMore && { cursor: await signCursor(secrets, cursorQuery, position) }
  const reliesOn = standing.flatMap(({ dependsOn }) => dependsOn)
  if (barrier) await deps.trustLog.requireStillStanding(barrier, reliesOn)
  if (caller) await deps.trustLog.requireStillStanding(caller.barrier, caller.dependencies.handles)
  return { hits: standing.map(({ hit }) => hit), total, ...next }
}

type StorePage = Omit<CardQuery, 'words' | 'skill' | 'tags'>

interface StandingHit {
  readonly hit: Hit
  readonly dependsOn: readonly Handle[]
}

async function standingHits(
  deps: SearchDeps,
  found: readonly CardHit[],
  { introductions, ...context }: Omit<HitContext, 'score'> & { readonly introductions: ReadonlyMap<AgentId, readonly Handle[]> },
): Promise<readonly StandingHit[]> {
  const hits = await Promise.all(
    found.map(async (cardHit): Promise<StandingHit | undefined> => {
      const agentId = AgentId.parse(cardHit.cardId)
      const [summary, agent] = await Promise.all([
        currentSummary(deps, agentId, context, cardHit.summary),
        findIntroductionTarget(deps, agentId),
      ])
      if (!summary || !agent) return undefined
      const entitling = context.tier === 'introduced' ? (introductions.get(agentId) ?? []) : []
      const dependsOn = [...agent.dependencies.handles, ...summary.versions, ...entitling]
      if (!stands(deps.trustLog.ended, dependsOn)) return undefined
      const hit = await hitOf(deps, agentId, summary, { ...context, score: cardHit.score })
      return { hit, dependsOn: [...dependsOn, ...proofOf(summary, hit.verdict)] }
    }),
  )
  return hits.filter((hit) => hit !== undefined)
}

/**
 * The summary if its versions stand. If one has ended, the card's next version may be pending: reading the card completes the pending
 * write, which replaces the search row, and the new row is used.
 */
async function currentSummary(
  deps: SearchDeps,
  agentId: AgentId,
  { tier }: Pick<HitContext, 'tier'>,
  summary: CardSummary,
): Promise<CardSummary | undefined> {
  if (stands(deps.trustLog.ended, summary.versions)) return summary
  await deps.cards.get(agentId)
  const current = (await deps.cardSearch.summaries(tier, [agentId])).get(agentId)
  return current && stands(deps.trustLog.ended, current.versions) ? current : undefined
}
