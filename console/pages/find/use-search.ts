import type { Hit, SearchResult } from '../../../src/protocol/search.js'
import { type List, usePages } from '../../api/use-query.js'
import { type Criteria, searchInputOf } from './criteria.js'

interface Search {
  readonly list: List<Hit>
  /** The first page, which has the total and the facets. */
  readonly first: SearchResult | undefined
}

/** Searches page by page. The first page is read again while the log grows, so that the cards of revoked agents leave it. */
export function useSearch(criteria: Criteria): Search {
  const { pages, ...rest } = usePages<SearchResult>('discovery.search', searchInputOf(criteria) as object)
  const hits = pages.flatMap(({ data }) => data?.hits ?? [])
  return { first: pages[0]?.data, list: { items: [...new Map(hits.map((hit) => [hit.agentId, hit])).values()], ...rest } }
}
