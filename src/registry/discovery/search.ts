// Card search.
//
// Each tier of a card has search rows of its own, which contain only the parts that callers of that tier may see. A search reads the rows of the
// caller's tier (`public` or `authenticated`), and for agents that the caller is introduced to the rows of the tier `introduced` in their place. So
// entitlement is decided before words are matched, and neither order, scores, facets nor total show what a caller may not see.
//
// Each store page is read behind a read barrier of its own; hits whose agent, introduction or card versions no longer stand are dropped from
// it. If a hit ends after that and the response is complete more than 250 ms after the barrier, the search is refused with
// `standing_unknown`. To fill a page of `limit` hits the store is read at most MAX_STORE_PAGES times; after that the page is returned short,
// with a cursor.
// Cost: at most MAX_STORE_PAGES store searches, each bounded by storage/card-search. A search row is read again only if one of its versions has ended.
// Concurrent searches have a limit of their own for authenticated and for anonymous callers.
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { addressPrefix } from '../../http/limits/address-prefix.js'
import type { ConcurrencyLimit } from '../../http/limits/concurrency-limit.js'
import { type FindAgentDeps, findIntroductionTarget } from '../../identity/agents/find.js'
import type { NamespacesStore } from '../../identity/namespaces/store.js'
import type { Metrics } from '../../lib/telemetry/metrics.js'
import type { Handle } from '../../protocol/handles.js'
import { AgentId } from '../../protocol/ids.js'
import type { Hit, SearchResult } from '../../protocol/search.js'
import { type Barrier, stands } from '../../protocol/standing.js'
import type { KeyRing } from '../../signing-keys/key-ring.js'
import type { CardCursor, CardFilter, CardHit, CardHits, CardQuery, CardSearchPort, CardSummary, CardTier } from '../../storage/storage.js'
import type { ServedTrustLog } from '../../trust-log/trust-log.js'
import { NO_NAMESPACE } from '../cards/search-rows/search-rows.js'
import { proofOf } from '../cards/view.js'
import { decryptCursor, encryptCursor } from './cursor.js'
import { FACETS, filtersOf, type SearchInput } from './filters.js'
import { hitOf } from './hit.js'

export interface SearchDeps extends FindAgentDeps {
  readonly namespaces: NamespacesStore
  readonly cardSearch: CardSearchPort
  readonly trustLog: ServedTrustLog
  readonly keyRing: KeyRing
  readonly issuer: string
  /** Searches are expensive and open to anonymous callers, so they have concurrency limits of their own. */
  readonly metrics?: Metrics | undefined
  readonly searchLimits: Readonly<Record<'authenticated' | 'anonymous', Pick<ConcurrencyLimit, 'run'>>>
  /** The agents whose `introduced` tier the caller may see, each with the handles that this depends on. */
  readonly introducedTo: (caller: Caller) => Promise<ReadonlyMap<AgentId, readonly Handle[]>>
}

export interface Searcher {
  readonly caller: Caller | undefined
  readonly address: string
}

/** The criteria of a search: those of `discovery.search`, and what other forms of search need. */
export type SearchCriteria = SearchInput & {
  /** Further filters, which must all match. */
  readonly filters?: readonly CardFilter[]
  /** Maximum number of values of a facet. Default: 20. */
  readonly facetValues?: number
}

const MAX_STORE_PAGES = 5
const FACET_VALUES = 20
/** The concurrency limit of all requests has already rejected callers that disconnected. */
const isConnected = () => true

/** Searches published cards. Anonymous callers search public parts; a token needs the scope `discovery:read` and may find more. */
export const searchCards = (deps: SearchDeps, searcher: Searcher, input: SearchCriteria): Promise<SearchResult> =>
  searchCardsAs(deps, searcher, input, ({ hit }) => hit)

/** Searches like `searchCards`, and makes of each hit what `show` returns, within the same limit. */
export const searchCardsAs = <T>(deps: SearchDeps, searcher: Searcher, input: SearchCriteria, show: Show<T>): Promise<ResultOf<T>> =>
  withinSearchLimit(deps, searcher, () => searchPages(deps, searcher.caller, input, show))

/** `summary` is that of the row which the hit was made from. */
type Show<T> = (found: { readonly hit: Hit; readonly summary: CardSummary }) => T | Promise<T>
type ResultOf<T> = Omit<SearchResult, 'hits'> & { readonly hits: readonly T[] }

export async function withinSearchLimit<T>(
  { searchLimits, metrics }: Pick<SearchDeps, 'searchLimits' | 'metrics'>,
  { caller, address }: Searcher,
  work: () => Promise<T>,
): Promise<T> {
  if (caller && !caller.scopes.some((scope) => scope === 'discovery:read'))
    refuse('insufficient_scope', 'this call needs the scope discovery:read')
  const kind = caller ? 'authenticated' : 'anonymous'
  const done = metrics?.searchSeconds.startTimer({ caller: kind })
  try {
    return await searchLimits[kind].run(caller?.id ?? addressPrefix(address), isConnected, work)
  } finally {
    done?.()
  }
}

async function searchPages<T>(deps: SearchDeps, caller: Caller | undefined, input: SearchCriteria, show: Show<T>): Promise<ResultOf<T>> {
  const { limit, cursor, ...criteria } = input
  const cursorQuery = { ...criteria, caller: caller?.id ?? null }
  const secrets = deps.keyRing.secret('cursor')
  const introductions = caller ? await deps.introducedTo(caller) : new Map<AgentId, readonly Handle[]>()
  const query = queryOf(criteria, { tier: caller ? 'authenticated' : 'public', introducedTo: [...introductions.keys()] })
  let after: CardCursor | undefined = cursor === undefined ? undefined : await decryptCursor(secrets, cursorQuery, cursor)
  const standing: StandingHit[] = []
  let barrier: Barrier | undefined
  let first: CardHits | undefined
  let hasMore = true
  // The store counts a card by the verdict of its search row
  let isOvercounted = criteria.verdict === 'stale' || criteria.verdict === 'revoked'
  for (let pages = 0; pages < MAX_STORE_PAGES && hasMore && standing.length < limit; pages++) {
    const missing = limit - standing.length
    const page = await deps.cardSearch.search({ ...query, limit: missing, ...(after && { after }) })
    first ??= page
    const decided = await deps.trustLog.afterBarrier(barrier ?? caller?.barrier, async (barrier) => ({
      barrier,
      standing: await standingHits(deps, page.hits, {
        introductions,
        verdict: criteria.verdict,
        namespace: criteria.namespace,
        now: barrier.now,
      }),
    }))
    barrier ??= decided.barrier
    standing.push(...decided.standing.filter((hit) => hit !== 'other verdict'))
    isOvercounted ||= decided.standing.includes('other verdict')
    after = page.next
    hasMore = after !== undefined
  }
  const next = hasMore && after && { cursor: await encryptCursor(secrets, cursorQuery, after) }
  const hits = await Promise.all(standing.map(show))
  const reliesOn = standing.flatMap(({ dependsOn }) => dependsOn)
  if (barrier) await deps.trustLog.requireStillStanding(barrier, reliesOn)
  if (caller) await deps.trustLog.requireStillStanding(caller.barrier, caller.dependencies.handles)
  return {
    hits,
    ...(isOvercounted
      ? { total: hits.length, isTotalExact: cursor === undefined && !hasMore }
      : { total: first?.total ?? 0, isTotalExact: first?.isTotalExact ?? true }),
    ...(criteria.facets && { facets: facetsOf(criteria, first?.facets ?? {}) }),
    ...next,
  }
}

type Criteria = Omit<SearchCriteria, 'limit' | 'cursor'>

function queryOf(criteria: Criteria, rows: Pick<CardQuery, 'tier' | 'introducedTo'>): Omit<CardQuery, 'limit' | 'after'> {
  const { text = '', publishedSince, includeNonconformant = false, facets = [], sort } = criteria
  return {
    ...rows,
    ...(text.trim() !== '' && { text }),
    filters: [...filtersOf(criteria), ...(criteria.filters ?? [])],
    ...(publishedSince !== undefined && { publishedSince }),
    includeNonconformant,
    facets: facets.map((facet) => FACETS[facet]),
    ...(sort && { sort }),
  }
}

const facetsOf = ({ facets = [], facetValues = FACET_VALUES }: Criteria, found: CardHits['facets']): NonNullable<SearchResult['facets']> =>
  Object.fromEntries(
    facets.map((facet) => [facet, (found[FACETS[facet]] ?? []).filter(({ value }) => value !== NO_NAMESPACE).slice(0, facetValues)]),
  )

interface StandingHit {
  readonly hit: Hit
  readonly summary: CardSummary
  readonly dependsOn: readonly Handle[]
}

async function standingHits(
  deps: SearchDeps,
  found: readonly CardHit[],
  context: {
    readonly introductions: ReadonlyMap<AgentId, readonly Handle[]>
    readonly verdict: SearchInput['verdict']
    readonly namespace: SearchInput['namespace']
    readonly now: number
  },
): Promise<readonly (StandingHit | 'other verdict')[]> {
  const { introductions, verdict, namespace, now } = context
  const hits = await Promise.all(
    found.map(async (cardHit): Promise<StandingHit | 'other verdict' | undefined> => {
      const agentId = AgentId.parse(cardHit.cardId)
      const [summary, agent] = await Promise.all([
        currentSummary(deps, agentId, cardHit.tier, cardHit.summary),
        findIntroductionTarget(deps, agentId),
      ])
      if (!summary || !agent) return undefined
      const entitling = cardHit.tier === 'introduced' ? (introductions.get(agentId) ?? []) : []
      const dependsOn = [...agent.dependencies.handles, ...summary.versions, ...entitling]
      if (!stands(deps.trustLog.ended, dependsOn)) return undefined
      const hit = await hitOf(deps, agentId, summary, { ...cardHit, now })
      const { state, namespace: proved } = hit.verdict
      if ((verdict !== undefined && state !== verdict) || (namespace !== undefined && proved?.name !== namespace.toLowerCase()))
        return 'other verdict'
      return { hit, summary, dependsOn: [...dependsOn, ...proofOf(summary, hit.verdict)] }
    }),
  )
  return hits.filter((hit) => hit !== undefined)
}

/** The summary if its versions stand. If one has ended, the card was published again after the search: then that of the new search row. */
async function currentSummary(deps: SearchDeps, agentId: AgentId, tier: CardTier, summary: CardSummary): Promise<CardSummary | undefined> {
  if (stands(deps.trustLog.ended, summary.versions)) return summary
  const current = (await deps.cardSearch.summaries(tier, [agentId])).get(agentId)
  return current && stands(deps.trustLog.ended, current.versions) ? current : undefined
}
