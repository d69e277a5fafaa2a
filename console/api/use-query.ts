import { useEffect, useReducer, useRef } from 'preact/hooks'
import type { QueryState } from './cache.js'
import { useConsole } from './console.js'
import type { Input, Item, ListPath, Output, Path } from './procedures.js'

interface QueryOptions {
  /** False: the query is not read when the log grows, only when a row of it has ended. Default: true. */
  readonly isLive?: boolean
}

/** Reads a query and shows the view again when its result changes. Without an input nothing is read. */
export function useQuery<P extends Path>(
  path: P,
  input: Input<P> | undefined,
  { isLive = true }: QueryOptions = {},
): QueryState<Output<P>> {
  const { cache } = useConsole()
  const [, render] = useReducer((count: number) => count + 1, 0)
  const key = JSON.stringify(input)
  const shown = input === undefined ? { isLoading: false } : cache.show(path, input as object)
  useEffect(() => {
    if (input === undefined) return undefined
    // The result may have come between the rendering and this effect
    if (cache.show(path, input as object) !== shown) render(undefined)
    return cache.subscribe(path, input as object, () => render(undefined), isLive)
  }, [cache, path, key, isLive])
  return shown as QueryState<Output<P>>
}

/** The pages of a query that were read. */
interface Pages<T> {
  readonly pages: readonly QueryState<T>[]
  readonly error?: unknown
  readonly isLoading: boolean
  /** True if the registry has more items than were read. */
  readonly hasMore: boolean
  /** Reads the next page, unless it is being read. */
  readonly readMore: () => void
}

/** Reads a query page by page. The first page is read again as the log grows, and each one when a row of it has ended. */
export function usePages<T extends { readonly cursor?: string | undefined }>(path: string, input: object | undefined): Pages<T> {
  const { cache } = useConsole()
  const [, render] = useReducer((count: number) => count + 1, 0)
  const key = `${path} ${JSON.stringify(input)}`
  const state = useRef<{ key: string; cursors: (string | undefined)[] }>({ key, cursors: [undefined] })
  if (state.current.key !== key) state.current = { key, cursors: [undefined] }
  const { cursors } = state.current
  const inputOf = (cursor: string | undefined) => ({ ...input, ...(cursor !== undefined && { cursor }) })
  const pages = input === undefined ? [] : cursors.map((cursor) => cache.show(path, inputOf(cursor)) as QueryState<T>)
  useEffect(() => {
    if (input === undefined) return undefined
    if (cursors.some((cursor, i) => cache.show(path, inputOf(cursor)) !== pages[i])) render(undefined)
    const ends = cursors.map((cursor, i) => cache.subscribe(path, inputOf(cursor), () => render(undefined), i === 0))
    return () => {
      for (const end of ends) end()
    }
  }, [cache, key, cursors.length])
  const last = pages.at(-1)
  const next = last?.data?.cursor
  const failed = pages.find(({ error }) => error !== undefined)
  return {
    pages,
    ...(failed && { error: failed.error }),
    isLoading: pages.some(({ isLoading }) => isLoading),
    // Also while the next page is being read
    hasMore: next !== undefined || (pages.length > 1 && last?.isLoading === true),
    readMore: () => {
      if (next === undefined || last?.isLoading || cursors.includes(next)) return
      cursors.push(next)
      render(undefined)
    },
  }
}

export interface List<T> extends Omit<Pages<unknown>, 'pages'> {
  readonly items: readonly T[]
}

/** Items of one page of a list. */
export const PAGE_ITEMS = 100

/** Reads a list page by page. New items come in at the top as the log grows. */
export function useList<P extends ListPath>(path: P, input: Input<P> | undefined, idOf: (item: Item<P>) => string): List<Item<P>> {
  const ofPage = input === undefined ? undefined : { ...(input as object), limit: PAGE_ITEMS }
  const { pages, ...rest } = usePages<{ readonly items: readonly Item<P>[]; readonly cursor?: string }>(path, ofPage)
  const key = `${path} ${JSON.stringify(input)}`
  const before = useRef<{ key: string; items: readonly Item<P>[] }>({ key, items: [] })
  if (before.current.key !== key) before.current = { key, items: [] }
  const [first, ...others] = pages.map(({ data }) => data?.items)
  // A first page that new items were added to ends earlier than before: its former items stay until the list is read anew
  const former = others.length > 0 ? before.current.items : []
  if (first) before.current.items = distinct([...first, ...former], idOf)
  return { items: distinct([...(first ?? []), ...former, ...others.flatMap((items) => items ?? [])], idOf), ...rest }
}

/** Of items with the same id the first. */
function distinct<T>(items: readonly T[], idOf: (item: T) => string): readonly T[] {
  const seen = new Set<string>()
  return items.filter((item) => {
    const id = idOf(item)
    return seen.has(id) ? false : seen.add(id)
  })
}
