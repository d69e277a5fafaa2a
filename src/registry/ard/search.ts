import type { z } from 'zod'
import { type SearchDeps, type Searcher, searchCards, searchCardsAs } from '../discovery/search.js'
import { type ArdEntry, entryOfHit } from './entry.js'
import { countingOf, filtersOf, requireKnownContext } from './filter.js'
import { hostOf, listingOf } from './identifier.js'
import type { ExploreRequest, SearchRequest } from './requests.js'

interface SearchResponse {
  readonly results: readonly (ArdEntry & { readonly score: number; readonly source: string })[]
  /** Only in the mode that asks for them. */
  readonly referrals?: readonly []
  readonly pageToken?: string
}

/** Searches the entries that the caller may see, the most relevant first. The score says nothing about trust (ARD §4.5.2). */
export async function searchEntries(
  deps: SearchDeps,
  searcher: Searcher,
  { query, federation, pageSize, pageToken }: z.infer<typeof SearchRequest>,
): Promise<SearchResponse> {
  const { issuer } = deps
  const wanted = filtersOfQuery(issuer, query)
  const referrals = federation === 'referrals' && { referrals: [] as const }
  if (!wanted) return { results: [], ...referrals }
  const { filters, publishers } = wanted
  const criteria = { text: query.text, filters, limit: pageSize, cursor: pageToken }
  const { hits, cursor } = await searchCardsAs(deps, searcher, criteria, async ({ hit }) => {
    const listing = await listingOf(deps, hit)
    const isListed = publishers === undefined || publishers.includes(listing.publisher)
    return isListed ? { ...entryOfHit(issuer, hit, listing), score: hit.score, source: `${issuer}/` } : undefined
  })
  return {
    results: hits.filter((entry) => entry !== undefined),
    ...referrals,
    ...(cursor !== undefined && { pageToken: cursor }),
  }
}

interface FacetResult {
  readonly buckets: readonly { readonly value: string; readonly count: number }[]
  /** The entries in further buckets. */
  readonly otherCount: number
}

/** Counts the entries that match, by the values of their members; at most the first 1,000 entries. */
export async function exploreEntries(
  deps: SearchDeps,
  searcher: Searcher,
  { query = {}, resultType }: z.infer<typeof ExploreRequest>,
): Promise<{ readonly resultType: 'facets'; readonly facets: Readonly<Record<string, FacetResult>> }> {
  const { issuer } = deps
  const wanted = filtersOfQuery(issuer, query)
  const requested = resultType.facets.map(({ field, ...bounds }, i) => {
    const at = ['resultType', 'facets', String(i), 'field']
    return { ...bounds, field, counting: countingOf(field, { context: query['@context'], at }) }
  })
  const facets = requested.flatMap(({ counting }) => (typeof counting === 'string' ? [counting] : []))
  const criteria = { text: query.text, filters: wanted?.filters ?? [], facets, facetValues: Number.MAX_SAFE_INTEGER, limit: 1 }
  const found = wanted && (await searchCards(deps, searcher, criteria))
  const countsOf = (counting: (typeof requested)[number]['counting']): FacetResult['buckets'] => {
    const total = found?.total ?? 0
    if (typeof counting !== 'string') return counting.map((value) => ({ value, count: total }))
    const counts = found?.facets?.[counting] ?? []
    return counting === 'namespaces' ? withHost(counts, hostOf(issuer), total) : counts
  }
  const results = requested.map(({ field, counting, limit, minCount }): [string, FacetResult] => {
    const buckets = countsOf(counting).filter(({ count }) => count >= minCount)
    const others = buckets.slice(limit)
    return [field, { buckets: buckets.slice(0, limit), otherCount: others.reduce((sum, { count }) => sum + count, 0) }]
  })
  return { resultType: 'facets', facets: Object.fromEntries(results) }
}

type Bucket = FacetResult['buckets'][number]

/** The publishers of all entries: those without a namespace have the host of the registry. */
function withHost(namespaces: readonly Bucket[], host: string, total: number): readonly Bucket[] {
  const others = namespaces.filter(({ value }) => value !== host)
  const count = total - others.reduce((sum, one) => sum + one.count, 0)
  return [...others, { value: host, count }].sort((a, b) => b.count - a.count)
}

function filtersOfQuery(
  issuer: string,
  { '@context': context, filter = {} }: Pick<z.infer<typeof SearchRequest>['query'], '@context' | 'filter'>,
) {
  requireKnownContext(context)
  return filtersOf(filter, { issuer, context, at: ['query', 'filter'] })
}
