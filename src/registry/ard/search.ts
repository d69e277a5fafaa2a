import type { z } from 'zod'
import { type SearchDeps, type Searcher, searchCards } from '../discovery/search.js'
import { type ArdEntry, entryOfHit } from './entry.js'
import { countingOf, filtersOf, requireKnownContext } from './filter.js'
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
  const filters = filtersOfQuery(issuer, query)
  const referrals = federation === 'referrals' && { referrals: [] as const }
  if (!filters) return { results: [], ...referrals }
  const { hits, cursor } = await searchCards(deps, searcher, { text: query.text, filters, limit: pageSize, cursor: pageToken })
  return {
    results: hits.map((hit) => ({ ...entryOfHit(issuer, hit), score: hit.score, source: `${issuer}/` })),
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
  const filters = filtersOfQuery(issuer, query)
  const requested = resultType.facets.map(({ field, ...bounds }, i) => {
    const at = ['resultType', 'facets', String(i), 'field']
    return { ...bounds, field, counting: countingOf(field, { issuer, context: query['@context'], at }) }
  })
  const facets = requested.flatMap(({ counting }) => (typeof counting === 'string' ? [counting] : []))
  const criteria = { text: query.text, filters: filters ?? [], facets, facetValues: Number.MAX_SAFE_INTEGER, limit: 1 }
  const found = filters && (await searchCards(deps, searcher, criteria))
  const countsOf = (counting: (typeof requested)[number]['counting']): FacetResult['buckets'] =>
    typeof counting === 'string'
      ? (found?.facets?.[counting] ?? [])
      : counting.map((value) => ({ value, count: found?.total ?? 0 })).filter(({ count }) => count > 0)
  const results = requested.map(({ field, counting, limit, minCount }): [string, FacetResult] => {
    const buckets = countsOf(counting).filter(({ count }) => count >= minCount)
    const others = buckets.slice(limit)
    return [field, { buckets: buckets.slice(0, limit), otherCount: others.reduce((sum, { count }) => sum + count, 0) }]
  })
  return { resultType: 'facets', facets: Object.fromEntries(results) }
}

function filtersOfQuery(
  issuer: string,
  { '@context': context, filter = {} }: Pick<z.infer<typeof SearchRequest>['query'], '@context' | 'filter'>,
) {
  requireKnownContext(context)
  return filtersOf(filter, { issuer, context, at: ['query', 'filter'] })
}
