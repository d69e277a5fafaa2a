import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { digestOfJson } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import { base64url, equalTexts, fromBase64url, utf8 } from '../../lib/bytes.js'
import { readJson } from '../../lib/json.js'
import type { Secrets } from '../../signing-keys/secrets.js'
import { MAX_WORDS } from './hit.js'

const WordPlace = z.int().min(0).lt(MAX_WORDS)

/** Where a page of search begins: in which of the two passes, after which hit. */
export const SearchCursor = z.strictObject({
  pass: z.enum(['introduced', 'tier']),
  after: z.tuple([z.number(), z.string().max(64)]).optional(),
  /** Which words of the query the page before was scored by, where not by all. */
  scored: z.array(WordPlace).max(MAX_WORDS).optional(),
})
export type SearchCursor = z.infer<typeof SearchCursor>

const Sealed = z.strictObject({ id: z.string().max(12), of: z.string().length(43), place: SearchCursor })

/** A cursor is good for one query of one caller: `<payload>.<mac>`. */
export async function sealCursor(secrets: Secrets, query: unknown, place: SearchCursor): Promise<string> {
  const secret = await secrets.current()
  const payload = base64url(utf8(JSON.stringify({ id: secret.id, of: digestOfJson(query), place })))
  return `${payload}.${macOf(secret.bytes, payload)}`
}

export async function openCursor(secrets: Secrets, query: unknown, cursor: string): Promise<SearchCursor> {
  const deny = () => refuse('bad_cursor', 'the cursor is not one of this query, or was changed')
  const [payload = '', mac = '', ...rest] = cursor.split('.')
  const bytes = rest.length > 0 ? undefined : fromBase64url(payload)
  const json = bytes && readJson(bytes, { maxDepth: 6 })
  const sealed = Sealed.safeParse(json && 'value' in json ? json.value : undefined)
  const secret = sealed.success ? await secrets.find(sealed.data.id) : undefined
  if (!sealed.success || !secret || !equalTexts(mac, macOf(secret.bytes, payload))) return deny()
  return sealed.data.of === digestOfJson(query) ? sealed.data.place : deny()
}

const macOf = (secret: Uint8Array, payload: string): string => base64url(createHmac('sha256', secret).update(`search ${payload}`).digest())
