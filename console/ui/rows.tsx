import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core'
import type { ComponentChildren } from 'preact'
import { useEffect, useReducer, useRef, useState } from 'preact/hooks'
import type { List } from '../api/use-query.js'
import { ErrorNote, Loading } from './notes.js'
import { useShortcuts } from './shortcuts.js'

interface RowsProps<T> {
  readonly label: string
  readonly list: List<T>
  readonly idOf: (item: T) => string
  /** The address of an item: Enter and a click lead to it. */
  readonly hrefOf?: (item: T) => string
  readonly row: (item: T) => ComponentChildren
  /** Shown if there are no items. */
  readonly empty: ComponentChildren
  /** Keys that act on the selected item, such as `a`. With them, the first item is selected at first. */
  readonly keys?: Readonly<Record<string, (item: T) => void>>
}

const ROW_PX = 64
const BORDERS_PX = 2
const OVERSCAN = 10
/** The next page is read when this few rows are left below. */
const PREFETCH_ROWS = 50

/**
 * A list of any length: only the rows near the visible ones are elements. `j` and `k` select the next and the previous row, Enter opens it.
 */
export function Rows<T>({ label, list, idOf, hrefOf, row, empty, keys }: RowsProps<T>) {
  const scroller = useRef<HTMLElement>(null)
  const { selected, select } = useSelection(list.items, idOf, keys ? 0 : -1)
  const virtualizer = useVirtualizer(list.items.length, scroller)
  const shown = virtualizer.getVirtualItems()
  const height = virtualizer.getTotalSize()
  const lastShown = shown.at(-1)?.index ?? -1
  useEffect(() => {
    if (list.hasMore && lastShown >= list.items.length - PREFETCH_ROWS) list.readMore()
  })
  const move = (by: number) => {
    const next = Math.min(list.items.length - 1, Math.max(0, selected + by))
    select(next)
    virtualizer.scrollToIndex(next)
  }
  const chosen = list.items[selected]
  useShortcuts({
    j: () => move(1),
    k: () => move(-1),
    ...(chosen !== undefined && hrefOf && { Enter: () => scroller.current?.querySelector<HTMLElement>('[aria-current] a')?.click() }),
    ...Object.fromEntries(Object.entries(keys ?? {}).map(([key, act]) => [key, () => chosen !== undefined && act(chosen)])),
  })
  if (list.items.length === 0)
    return (
      <>
        <ErrorNote error={list.error} />
        {list.isLoading ? <Loading /> : list.error === undefined && empty}
      </>
    )
  return (
    <>
      <ErrorNote error={list.error} />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls is reached by keyboard */}
      <section class="rows" ref={scroller} tabIndex={0} aria-label={label} style={{ height: `min(65vh, ${height + BORDERS_PX}px)` }}>
        <ul style={{ height: `${height}px` }}>
          {shown.map(({ index, start }) => {
            const item = list.items[index] as T // the virtualizer counts the items
            return (
              <li
                key={idOf(item)}
                data-index={index}
                ref={virtualizer.measureElement}
                aria-setsize={list.hasMore ? -1 : list.items.length}
                aria-posinset={index + 1}
                aria-current={index === selected ? 'true' : undefined}
                style={{ transform: `translateY(${start}px)` }}
              >
                {row(item)}
              </li>
            )
          })}
        </ul>
      </section>
      <output class="hint">
        {list.items.length}
        {list.hasMore ? ' shown, more below' : ''} {list.isLoading && 'Loading…'}
      </output>
    </>
  )
}

/** The selected row stays selected while rows come and go above it. If it goes itself, the row that takes its place is selected. */
function useSelection<T>(items: readonly T[], idOf: (item: T) => string, first: number) {
  const [id, setId] = useState<string | undefined>(undefined)
  const last = useRef(first)
  const found = id === undefined ? -1 : items.findIndex((item) => idOf(item) === id)
  if (found >= 0) last.current = found
  return {
    selected: Math.min(last.current, items.length - 1),
    select: (index: number) => {
      last.current = index
      const item = items[index]
      setId(item && idOf(item))
    },
  }
}

function useVirtualizer(count: number, scroller: { readonly current: HTMLElement | null }): Virtualizer<HTMLElement, HTMLElement> {
  const [, render] = useReducer((times: number) => times + 1, 0)
  const instance = useRef<Virtualizer<HTMLElement, HTMLElement> | undefined>(undefined)
  const options = {
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: OVERSCAN,
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    onChange: () => render(undefined),
  }
  instance.current ??= new Virtualizer<HTMLElement, HTMLElement>(options)
  const virtualizer = instance.current
  virtualizer.setOptions(options)
  useEffect(() => virtualizer._didMount(), [virtualizer])
  useEffect(() => virtualizer._willUpdate())
  return virtualizer
}
