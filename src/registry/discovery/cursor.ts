// The cursor of a search: the position at which the next page begins, encrypted. A position may contain numbers that the store counts over the cards
// of all tiers, so no caller may read it.
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { z } from 'zod'
import { digestOfJson } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import { base64url, concatBytes, fromBase64url, utf8 } from '../../lib/bytes.js'
import { readJson } from '../../lib/json.js'
import type { Secrets } from '../../signing-keys/secrets.js'
import type { CardCursor } from '../../storage/storage.js'

const text = z.string().max(512)
const Factor = z.int().min(0).max(100)
const Term = z.union([z.tuple([text, Factor]), z.tuple([text, Factor, z.enum(['synonym', 'prefix', 'spelling'])])])
const Plan = z.strictObject({
  words: z.array(z.strictObject({ word: text, weight: z.int().min(0), terms: z.array(Term).max(16) })).max(32),
  reads: z.union([z.strictObject({ terms: z.array(z.int().min(0)).max(512) }), z.strictObject({ filter: z.int().min(0) })]),
  cut: z.strictObject({ list: z.int().min(0), position: z.union([z.string().max(256), z.int()]) }).optional(),
})

/** The beginning of a page: after the last hit of the page before, and by the same plan. */
const Position = z.strictObject({ after: z.tuple([z.number(), z.string().max(64)]), plan: Plan.optional() })

const MAX_POSITION_BYTES = 65_536
const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** Positions are padded to a multiple of this, so that the length does not show how large a number is. */
const BLOCK_BYTES = 64

/**
 * Encodes a position as `<secret id>.<nonce, tag and ciphertext>`. The query's digest is authenticated with it, so the cursor is valid for this
 * query of this caller only. The nonce is a MAC of the content, so that the same position always has the same cursor.
 */
export async function encryptCursor(secrets: Secrets, query: unknown, position: CardCursor): Promise<string> {
  const secret = await secrets.current()
  const compressed = deflateRawSync(utf8(JSON.stringify(position)))
  const content = concatBytes(compressed, new Uint8Array((BLOCK_BYTES - (compressed.length % BLOCK_BYTES)) % BLOCK_BYTES))
  const context = utf8(digestOfJson(query))
  const nonce = derived(secret.bytes, 'search cursor nonce', context, content).slice(0, NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, derived(secret.bytes, 'search cursor key'), nonce).setAAD(context)
  const ciphertext = concatBytes(cipher.update(content), cipher.final())
  return `${secret.id}.${base64url(concatBytes(nonce, cipher.getAuthTag(), ciphertext))}`
}

/** Decodes a cursor. Every fault gets the same refusal. */
export async function decryptCursor(secrets: Secrets, query: unknown, cursor: string): Promise<CardCursor> {
  const deny = () =>
    refuse('bad_cursor', 'the cursor does not belong to this query, or was changed; search again without a cursor', {
      faults: [{ pointer: '/cursor', hint: 'leave it out, or send the query that it came from' }],
    })
  const [secretId = '', payload = '', ...rest] = cursor.split('.')
  const secret = rest.length === 0 ? await secrets.find(secretId) : undefined
  const bytes = secret && decrypted(secret.bytes, utf8(digestOfJson(query)), fromBase64url(payload) ?? new Uint8Array())
  if (bytes === undefined) return deny()
  const json = readJson(bytes, { maxBytes: MAX_POSITION_BYTES, maxDepth: 8 })
  const parsed = Position.safeParse('value' in json ? json.value : undefined)
  if (!parsed.success) return deny()
  const { after, plan } = parsed.data
  return { after, ...(plan && { plan: withoutUndefined(plan) }) }
}

/** Undefined unless this registry encrypted it in this context. */
function decrypted(secret: Uint8Array, context: Uint8Array, bytes: Uint8Array): Uint8Array | undefined {
  const nonce = bytes.slice(0, NONCE_BYTES)
  const tag = bytes.slice(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)
  if (tag.length < TAG_BYTES) return undefined
  const decipher = createDecipheriv(CIPHER, derived(secret, 'search cursor key'), nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(context).setAuthTag(tag)
  try {
    const content = concatBytes(decipher.update(bytes.slice(NONCE_BYTES + TAG_BYTES)), decipher.final())
    return inflateRawSync(content, { maxOutputLength: MAX_POSITION_BYTES })
  } catch {
    return undefined
  }
}

function derived(secret: Uint8Array, purpose: string, ...content: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac('sha256', secret).update(purpose)
  for (const part of content) mac.update(part)
  return mac.digest()
}

/** A plan that was JSON has no undefined members. */
const withoutUndefined = ({ cut, ...plan }: z.infer<typeof Plan>): NonNullable<CardCursor['plan']> => ({
  ...plan,
  ...(cut !== undefined && { cut }),
})
