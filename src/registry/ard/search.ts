import type { z } from 'zod'
import type { Caller } from '../../http/caller.js'
import type { Hit } from '../discovery/hit.js'
import { type SearchDeps, searchCards } from '../discovery/search.js'
import { type ArdEntry, entryOfHit } from './entry.js'
import { constantValues, criteriaOf, requireKnownContext } from './filter.js'
import type { ExploreRequest, SearchRequest } from './requests.js'

/** Who asks. */
interface Asking {
  readonly caller: Caller | undefined
  readonly address: string
}

interface SearchResponse {
  readonly results: readonly (ArdEntry & { readonly score: number; readonly source: string })[]
  /** Only in the mode that asks for them. */
  readonly referrals?: readonly []
  readonly pageToken?: string
}

/** Searches the entries that the caller may see, the most relevant first. */
export async function searchEntries(
  deps: SearchDeps,
  asking: Asking,
  { query, federation, pageSize, pageToken }: z.infer<typeof SearchRequest>,
): Promise<SearchResponse> {
  const { issuer } = deps
  const criteria = criteriaOfQuery(issuer, query)
  const referrals = federation === 'referrals' && { referrals: [] as const }
  if (!criteria) return { results: [], ...referrals }
  const { hits, cursor } = await searchCards(deps, asking, { ...criteria, text: query.text, limit: pageSize, cursor: pageToken })
  return {
    results: hits.map((hit) => ({ ...entryOfHit(issuer, hit), score: relevanceOf(hit), source: `${issuer}/` })),
    ...referrals,
    ...(cursor !== undefined && { pageToken: cursor }),
  }
}

interface Facet {
  readonly buckets: readonly { readonly value: string; readonly count: number }[]
  /** The entries in further buckets. */
  readonly otherCount: number
}

/** Counts the entries that match, by the values of their members. */
export async function exploreEntries(
  deps: SearchDeps,
  asking: Asking,
  { query = {}, resultType }: z.infer<typeof ExploreRequest>,
): Promise<{ readonly resultType: 'facets'; readonly facets: Readonly<Record<string, Facet>> }> {
  const criteria = criteriaOfQuery(deps.issuer, query)
  const requested = resultType.facets.map(({ field, ...bounds }, i) => {
    const values = constantValues(field, {
      issuer: deps.issuer,
      context: query['@context'],
      at: ['resultType', 'facets', String(i), 'field'],
    })
    return { field, values, ...bounds }
  })
  const total = criteria ? (await searchCards(deps, asking, { ...criteria, text: query.text, limit: 1 })).total : 0
  const facets = requested.map(({ field, values, limit, minCount }): [string, Facet] => {
    const buckets = total < minCount ? [] : values.map((value) => ({ value, count: total }))
    return [field, { buckets: buckets.slice(0, limit), otherCount: 0 }]
  })
  return { resultType: 'facets', facets: Object.fromEntries(facets) }
}

function criteriaOfQuery(issuer: string, { '@context': context, filter }: z.infer<typeof ExploreRequest>['query'] & object) {
  requireKnownContext(context)
  return criteriaOf(filter ?? {}, { issuer, context, at: ['query', 'filter'] })
}

/** How well a hit matches the text, 0 to 100. It says nothing about trust (ARD §4.5.2). */
const relevanceOf = ({ score }: Hit): number => {
  const weight = Math.max(0, -score) / 1e9
  return Math.round((100 * weight) / (1 + weight))
}
