import { z } from 'zod'
import { refuse } from '../errors.js'
import { base64url, fromBase64url, utf8 } from '../lib/bytes.js'
import { readJson } from '../lib/json.js'
import type { Cursor, Page } from '../storage/storage.js'

/** The input of every list. A cursor is opaque: it says where a page begins and has no influence on whose rows are read. */
export const PageInput = z.strictObject({ limit: z.int().min(1).max(100).default(20), cursor: z.string().min(1).max(512).optional() })
export type PageInput = z.infer<typeof PageInput>

export const CursorTuple = z.tuple([z.union([z.string().max(256), z.number()]), z.string().min(1).max(256)])

/** Converts the input to the `limit` and `after` of a storage query. */
export function cursorOf({ limit, cursor }: PageInput): { readonly limit: number; readonly after?: Cursor } {
  if (cursor === undefined) return { limit }
  const bytes = fromBase64url(cursor)
  const json = bytes === undefined ? undefined : readJson(bytes, { maxDepth: 2 })
  const parsed = CursorTuple.safeParse(json && 'value' in json ? json.value : undefined)
  return parsed.success ? { limit, after: parsed.data } : refuse('bad_cursor', 'the cursor is not from a response of this list')
}

export const formatCursor = (cursor: Cursor): string => base64url(utf8(JSON.stringify(cursor)))

/** Converts a storage page to a response. */
export function pageOf<D extends object, V>(page: Page<D>, view: (doc: D) => V): { readonly items: V[]; readonly cursor?: string } {
  return { items: page.items.map(view), ...(page.next && { cursor: formatCursor(page.next) }) }
}

/**
 * The newest items of several pages in descending order, each item with its cursor. A page of each list then continues after the last item, because the keys
 * of all lists can be compared.
 */
export function newestOf<D>(
  pages: readonly Page<D & object>[],
  limit: number,
  cursorOfItem: (item: D) => readonly [number, string],
): { readonly items: readonly D[]; readonly next?: Cursor } {
  const isAfter = (a: D, b: D) => {
    const [[aTime, aKey], [bTime, bKey]] = [cursorOfItem(a), cursorOfItem(b)]
    return aTime === bTime ? aKey < bKey : aTime < bTime
  }
  const all = pages.flatMap(({ items }) => items).sort((a, b) => (isAfter(a, b) ? 1 : -1))
  const items = all.slice(0, limit)
  const last = items.at(-1)
  const hasMore = all.length > limit || pages.some(({ next }) => next !== undefined)
  return { items, ...(hasMore && last && { next: cursorOfItem(last) }) }
}
