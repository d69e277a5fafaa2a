import type { Input, Item, ListPath } from './procedures.js'
import { type List, useQuery } from './use-query.js'

/** Reads a list that has no pages. */
export function useWholeList<P extends ListPath>(path: P, input: Input<P> | undefined): List<Item<P>> {
  const { data, error, isLoading } = useQuery(path, input)
  const items = (data as { readonly items: readonly Item<P>[] } | undefined)?.items ?? []
  return { items, isLoading, hasMore: false, readMore: () => undefined, ...(error !== undefined && { error }) }
}

/** The input of a query that has none. */
export const NO_INPUT = {} as never // an undefined input would read nothing
