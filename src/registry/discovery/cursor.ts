import { createHmac } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { z } from 'zod'
import { digestOfJson } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import { base64url, equalTexts, fromBase64url, utf8 } from '../../lib/bytes.js'
import { readJson } from '../../lib/json.js'
import type { Secrets } from '../../signing-keys/secrets.js'
import type { CardCursor } from '../../storage/storage.js'

const text = z.string().max(512)
const Factor = z.int().min(0).max(100)
const Term = z.union([z.tuple([text, Factor]), z.tuple([text, Factor, z.enum(['synonym', 'prefix', 'spelling'])])])
const Plan = z.strictObject({
  words: z.array(z.strictObject({ word: text, weight: z.int().min(0), terms: z.array(Term).max(16) })).max(32),
  name: z.string().max(1024),
  lists: z.array(z.string().max(1024)).max(1024),
  isByFilter: z.boolean().optional(),
  cut: z.strictObject({ list: z.int().min(0), position: z.union([z.string().max(256), z.int()]) }).optional(),
})

/** Where a page begins: after the last hit of the page before, and by the same plan. */
const Position = z.strictObject({ after: z.tuple([z.number(), z.string().max(64)]), plan: Plan.optional() })
const Payload = z.strictObject({ query: z.string().length(43), position: Position })

const MAX_PAYLOAD_BYTES = 65_536

/**
 * Encodes a position as `<secret id>.<payload>.<mac>`. The cursor is valid for this query of this caller only, because it contains the query's
 * digest.
 */
export async function signCursor(secrets: Secrets, query: unknown, position: CardCursor): Promise<string> {
  const secret = await secrets.current()
  const payload = base64url(deflateRawSync(utf8(JSON.stringify({ query: digestOfJson(query), position }))))
  return `${secret.id}.${payload}.${macOf(secret.bytes, payload)}`
}

/** Decodes a cursor. Every fault gets the same refusal. */
export async function verifyCursor(secrets: Secrets, query: unknown, cursor: string): Promise<CardCursor> {
  const deny = () =>
    refuse('bad_cursor', 'the cursor does not belong to this query, or was changed; search again without a cursor', {
      faults: [{ pointer: '/cursor', hint: 'leave it out, or send the query that it came from' }],
    })
  const [secretId = '', payload = '', mac = '', ...rest] = cursor.split('.')
  const secret = rest.length === 0 ? await secrets.find(secretId) : undefined
  if (!secret || !equalTexts(mac, macOf(secret.bytes, payload))) return deny()
  // Only this registry makes a payload with this MAC
  const bytes = inflateRawSync(fromBase64url(payload) ?? new Uint8Array(), { maxOutputLength: MAX_PAYLOAD_BYTES })
  const json = readJson(bytes, { maxBytes: MAX_PAYLOAD_BYTES, maxDepth: 8 })
  const parsed = Payload.safeParse('value' in json ? json.value : undefined)
  if (!parsed.success || parsed.data.query !== digestOfJson(query)) return deny()
  const { after, plan } = parsed.data.position
  return { after, ...(plan && { plan: withoutUndefined(plan) }) }
}

/** A plan that was JSON has no undefined members. */
const withoutUndefined = ({ cut, isByFilter, ...plan }: z.infer<typeof Plan>): NonNullable<CardCursor['plan']> => ({
  ...plan,
  ...(isByFilter !== undefined && { isByFilter }),
  ...(cut !== undefined && { cut }),
})

const macOf = (secret: Uint8Array, payload: string): string => base64url(createHmac('sha256', secret).update(`search ${payload}`).digest())
