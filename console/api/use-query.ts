import { useEffect, useReducer, useRef } from 'preact/hooks'
import type { Shown } from './cache.js'
import { useConsole } from './console.js'
import type { Input, Item, ListPath, Output, Path } from './procedures.js'

interface QueryOptions {
  /** False: the query is not read when the log grows, only when a row of it has ended. Default: true. */
  readonly isLive?: boolean
}

/** Reads a query and shows the view again when its result changes. Without an input nothing is read. */
export function useQuery<P extends Path>(path: P, input: Input<P> | undefined, { isLive = true }: QueryOptions = {}): Shown<Output<P>> {
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
  return shown as Shown<Output<P>>
}

export interface List<T> {
  readonly items: readonly T[]
  readonly error?: unknown
  readonly isLoading: boolean
  /** True if the registry has more items than were read. */
  readonly hasMore: boolean
  /** Reads the next page, unless it is being read. */
  readonly readMore: () => void
}

/** Items of one page of a list. */
export const PAGE_ITEMS = 100

/** Reads a list page by page. New items come in at the top as the log grows; rows that have ended are read again. */
export function useList<P extends ListPath>(path: P, input: Input<P> | undefined, idOf: (item: Item<P>) => string): List<Item<P>> {
  const { cache } = useConsole()
  const [, render] = useReducer((count: number) => count + 1, 0)
  const key = `${path} ${JSON.stringify(input)}`
  const state = useRef<{ key: string; cursors: (string | undefined)[]; old: readonly Item<P>[] }>({ key, cursors: [undefined], old: [] })
  if (state.current.key !== key) state.current = { key, cursors: [undefined], old: [] }
  const { cursors } = state.current
  const inputOf = (cursor: string | undefined) => ({ ...(input as object), limit: PAGE_ITEMS, ...(cursor !== undefined && { cursor }) })
  const pages =
    input === undefined
      ? []
      : cursors.map((cursor) => cache.show(path, inputOf(cursor)) as Shown<{ items: readonly Item<P>[]; cursor?: string }>)
  useEffect(() => {
    if (input === undefined) return undefined
    if (cursors.some((cursor, i) => cache.show(path, inputOf(cursor)) !== pages[i])) render(undefined)
    const ends = cursors.map((cursor, i) => cache.subscribe(path, inputOf(cursor), () => render(undefined), i === 0))
    return () => {
      for (const end of ends) end()
    }
  }, [cache, key, cursors.length])
  if (input === undefined) return { items: [], isLoading: false, hasMore: false, readMore: () => undefined }
  const [first] = pages
  // A first page that new items were added to ends earlier than before: its former items stay until the list is read anew
  const items = [
    ...(first?.data?.items ?? []),
    ...(cursors.length > 1 ? state.current.old : []),
    ...pages.slice(1).flatMap(({ data }) => data?.items ?? []),
  ]
  if (first?.data) state.current.old = cursors.length > 1 ? distinct([...first.data.items, ...state.current.old], idOf) : first.data.items
  const last = pages.at(-1)
  const next = last?.data?.cursor
  return {
    items: distinct(items, idOf),
    ...(pages.some(({ error }) => error !== undefined) && { error: pages.find(({ error }) => error !== undefined)?.error }),
    isLoading: pages.some(({ isLoading }) => isLoading),
    // Also while the next page is being read
    hasMore: next !== undefined || (cursors.length > 1 && last?.isLoading === true),
    readMore: () => {
      if (next === undefined || last?.isLoading || cursors.includes(next)) return
      cursors.push(next)
      render(undefined)
    },
  }
}

/** Of items with the same id the first. */
function distinct<T>(items: readonly T[], idOf: (item: T) => string): readonly T[] {
  const seen = new Set<string>()
  return items.filter((item) => {
    const id = idOf(item)
    return seen.has(id) ? false : seen.add(id)
  })
}
