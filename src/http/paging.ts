import { z } from 'zod'
import { refuse } from '../errors.js'
import { base64url, fromBase64url, utf8 } from '../lib/bytes.js'
import { readJson } from '../lib/json.js'
import type { Cursor, Page } from '../storage/storage.js'

/** Input of every list. A cursor is opaque; it only says where a page begins, never whose rows are read. */
export const PageInput = z.strictObject({ limit: z.int().min(1).max(100).default(20), cursor: z.string().min(1).max(512).optional() })
export type PageInput = z.infer<typeof PageInput>

const CursorPlace = z.tuple([z.union([z.string().max(256), z.number()]), z.string().min(1).max(256)])

/** `limit` and `after` of a query. */
export function placeOf({ limit, cursor }: PageInput): { readonly limit: number; readonly after?: Cursor } {
  if (cursor === undefined) return { limit }
  const bytes = fromBase64url(cursor)
  const json = bytes === undefined ? undefined : readJson(bytes, { maxDepth: 2 })
  const parsed = CursorPlace.safeParse(json && 'value' in json ? json.value : undefined)
  return parsed.success ? { limit, after: parsed.data } : refuse('bad_cursor', 'the cursor is not one of this list')
}

/** A page as it leaves: what `view` leaves out is passed over. */
export function pageOf<D extends object, V>(
  page: Page<D>,
  view: (doc: D) => V | undefined,
): { readonly items: V[]; readonly cursor?: string } {
  const items = page.items.map(view).filter((one) => one !== undefined)
  return { items, ...(page.next && { cursor: base64url(utf8(JSON.stringify(page.next))) }) }
}
