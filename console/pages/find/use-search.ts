import { useEffect, useReducer, useRef } from 'preact/hooks'
import type { Hit, SearchResult } from '../../../src/protocol/search.js'
import type { Shown } from '../../api/cache.js'
import { useConsole } from '../../api/console.js'
import type { List } from '../../api/use-query.js'
import { type Criteria, searchInputOf } from './criteria.js'

interface Search {
  readonly list: List<Hit>
  /** The first page, which has the total and the facets. */
  readonly first: SearchResult | undefined
}

/** Searches page by page. The first page is read again while the log grows, so that the cards of revoked agents leave it. */
export function useSearch(criteria: Criteria): Search {
  const { cache } = useConsole()
  const [, render] = useReducer((count: number) => count + 1, 0)
  const key = JSON.stringify(criteria)
  const state = useRef<{ key: string; cursors: (string | undefined)[] }>({ key, cursors: [undefined] })
  if (state.current.key !== key) state.current = { key, cursors: [undefined] }
  const { cursors } = state.current
  const inputOf = (cursor: string | undefined) => ({ ...searchInputOf(criteria), ...(cursor !== undefined && { cursor }) })
  useEffect(() => {
    const ends = cursors.map((cursor, i) => cache.subscribe('discovery.search', inputOf(cursor), () => render(undefined), i === 0))
    return () => {
      for (const end of ends) end()
    }
  }, [cache, key, cursors.length])
  const pages = cursors.map((cursor) => cache.show('discovery.search', inputOf(cursor)) as Shown<SearchResult>)
  const hits = pages.flatMap(({ data }) => data?.hits ?? [])
  const last = pages.at(-1)
  const next = last?.data?.cursor
  const failed = pages.find(({ error }) => error !== undefined)
  return {
    first: pages[0]?.data,
    list: {
      items: [...new Map(hits.map((hit) => [hit.agentId, hit])).values()],
      ...(failed && { error: failed.error }),
      isLoading: pages.some(({ isLoading }) => isLoading),
      hasMore: next !== undefined,
      readMore: () => {
        if (next === undefined || last?.isLoading || cursors.includes(next)) return
        cursors.push(next)
        render(undefined)
      },
    },
  }
}
