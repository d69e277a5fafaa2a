import type { ComponentChildren } from 'preact'
import type { List } from '../api/use-query.js'
import { Empty, ErrorNote, Loading } from './notes.js'

/** A short list, each item with its actions. */
export function Items<T>({
  list,
  idOf,
  item,
  empty,
}: {
  readonly list: List<T>
  readonly idOf: (item: T) => string
  readonly item: (item: T) => ComponentChildren
  /** Shown if there are no items. */
  readonly empty: ComponentChildren
}) {
  if (list.items.length > 0)
    return (
      <>
        <ErrorNote error={list.error} />
        <ul class="items">
          {list.items.map((one) => (
            <li key={idOf(one)}>{item(one)}</li>
          ))}
        </ul>
        {list.hasMore && (
          <button type="button" class="quiet" onClick={list.readMore}>
            More
          </button>
        )}
      </>
    )
  if (list.error !== undefined) return <ErrorNote error={list.error} />
  return list.isLoading ? <Loading /> : <Empty>{empty}</Empty>
}
