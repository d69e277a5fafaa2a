import type { List } from '../../api/use-query.js'

/** How many items a list has, as far as it was read, such as `1 session` or `100 or more agents`. */
export function counted<T>({ items, hasMore, isLoading, error }: List<T>, noun: string, counts: (item: T) => boolean = () => true): string {
  const count = items.filter(counts).length
  if (error !== undefined) return `${noun}s: cannot be counted`
  if (isLoading && items.length === 0) return `${noun}s: counting…`
  return countText(count, noun, hasMore)
}

/** `1 token`, `2 tokens`, `100 or more tokens`. */
export const countText = (count: number, noun: string, hasMore = false): string =>
  `${count}${hasMore ? ' or more' : ''} ${noun}${count === 1 && !hasMore ? '' : 's'}`
