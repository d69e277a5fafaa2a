import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { digestOfJson } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import { base64url, equalTexts, fromBase64url, utf8 } from '../../lib/bytes.js'
import { readJson } from '../../lib/json.js'
import type { Secrets } from '../../signing-keys/secrets.js'
import { MAX_QUERY_WORDS } from './hit.js'

const WordIndex = z.int().min(0).lt(MAX_QUERY_WORDS)

/** Where a page begins: the phase of the search (see `search.ts`), and the score and card id of the last hit before the page. */
export const SearchCursor = z.strictObject({
  phase: z.enum(['introduced', 'everyone']),
  after: z.tuple([z.number(), z.string().max(64)]).optional(),
  /** Indexes of the query words by which the hits of the previous page were scored; absent if all words were used. */
  scoredWords: z.array(WordIndex).max(MAX_QUERY_WORDS).optional(),
})
export type SearchCursor = z.infer<typeof SearchCursor>

const CursorPayload = z.strictObject({ secretId: z.string().max(12), query: z.string().length(43), position: SearchCursor })

/**
 * Encodes a position as `<payload>.<mac>`. The cursor is valid for this query of this caller only, because it contains the query's
 * digest.
 */
export async function signCursor(secrets: Secrets, query: unknown, position: SearchCursor): Promise<string> {
  const secret = await secrets.current()
  const payload = base64url(utf8(JSON.stringify({ secretId: secret.id, query: digestOfJson(query), position })))
  return `${payload}.${macOf(secret.bytes, payload)}`
}

/** Decodes a cursor. Every fault gets the same refusal. */
export async function verifyCursor(secrets: Secrets, query: unknown, cursor: string): Promise<SearchCursor> {
  const deny = () => refuse('bad_cursor', 'the cursor does not belong to this query, or was changed; search again without a cursor')
  const [payload = '', mac = '', ...rest] = cursor.split('.')
  const bytes = rest.length > 0 ? undefined : fromBase64url(payload)
  const json = bytes && readJson(bytes, { maxDepth: 6 })
  const parsed = CursorPayload.safeParse(json && 'value' in json ? json.value : undefined)
  const secret = parsed.success ? await secrets.find(parsed.data.secretId) : undefined
  if (!parsed.success || !secret || !equalTexts(mac, macOf(secret.bytes, payload))) return deny()
  return parsed.data.query === digestOfJson(query) ? parsed.data.position : deny()
}

const macOf = (secret: Uint8Array, payload: string): string => base64url(createHmac('sha256', secret).update(`search ${payload}`).digest())
