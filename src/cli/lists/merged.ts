import type { Read } from './list.js'

interface Join<T> {
  /** True if `a` comes later in the list than `b`. */
  isAfter(a: T, b: T): boolean
  /** The one item that stands for two of different lists, or undefined if they are different. */
  same(a: T, b: T): T | undefined
}

/** Two lists in the same order as one. Each is read as far as the result needs it. */
export function merged<T>(first: Read<T>, second: Read<T>, { isAfter, same }: Join<T>): Read<T> {
  const [a, b] = [newSide(first), newSide(second)]
  return async (limit) => {
    const items: T[] = []
    while (items.length < limit) {
      const [left, right] = [await a.head(limit), await b.head(limit)]
      if (left === undefined && right === undefined) break
      const both = left !== undefined && right !== undefined ? same(left, right) : undefined
      const isLeft = right === undefined || (left !== undefined && !isAfter(left, right))
      if (both !== undefined || isLeft) a.drop()
      if (both !== undefined || !isLeft) b.drop()
      const next = both ?? (isLeft ? left : right)
      if (next !== undefined) items.push(next)
    }
    const hasMore = (await a.head(limit)) !== undefined || (await b.head(limit)) !== undefined
    return { items, hasMore, others: {} }
  }
}

/** A list, with the items that were read and not used yet. */
function newSide<T>(read: Read<T>) {
  let waiting: readonly T[] = []
  let hasMore = true
  return {
    head: async (limit: number): Promise<T | undefined> => {
      while (waiting.length === 0 && hasMore) ({ items: waiting, hasMore } = await read(limit))
      return waiting[0]
    },
    drop: (): void => {
      waiting = waiting.slice(1)
    },
  }
}

/** The list with each item replaced. */
export const mapped =
  <T, U>(read: Read<T>, map: (item: T) => Promise<U>): Read<U> =>
  async (limit) => {
    const batch = await read(limit)
    return { ...batch, items: await Promise.all(batch.items.map(map)) }
  }
