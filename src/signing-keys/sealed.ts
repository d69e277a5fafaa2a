// Encryption of positions in lists. A position may name rows, or contain numbers, that the caller may not learn. The position is compressed, padded and
// encrypted with a secret that all instances share.
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { digestOfJson } from '../credentials/jose/digest.js'
import { base64url, concatBytes, fromBase64url, utf8 } from '../lib/bytes.js'
import { readJson } from '../lib/json.js'
import type { Secrets } from './secrets.js'

interface SealContext {
  /** Separates the keys. */
  readonly purpose: 'search cursor' | 'list cursor'
  /** The query and its caller: what was sealed for one query cannot be used in another. */
  readonly query: unknown
}

const MAX_CONTENT_BYTES = 65_536
const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** The content is padded to a multiple of this, so that the length does not show how large a number is. */
const BLOCK_BYTES = 64

/**
 * Encodes a value as `<secret id>.<nonce, tag and ciphertext>`. The query's digest is authenticated with it. The nonce is a MAC of the content, so that
 * the same value in the same context always has the same text.
 */
export async function seal(secrets: Secrets, { purpose, query }: SealContext, value: unknown): Promise<string> {
  const secret = await secrets.current()
  const compressed = deflateRawSync(utf8(JSON.stringify(value)))
  const content = concatBytes(compressed, new Uint8Array((BLOCK_BYTES - (compressed.length % BLOCK_BYTES)) % BLOCK_BYTES))
  const context = utf8(digestOfJson(query))
  const nonce = derived(secret.bytes, `${purpose} nonce`, context, content).slice(0, NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, derived(secret.bytes, `${purpose} key`), nonce).setAAD(context)
  const ciphertext = concatBytes(cipher.update(content), cipher.final())
  return `${secret.id}.${base64url(concatBytes(nonce, cipher.getAuthTag(), ciphertext))}`
}

/** The JSON value that was sealed. Undefined unless this registry sealed it in this context, at most two periods of the secret ago. */
export async function unseal(secrets: Secrets, { purpose, query }: SealContext, sealed: string): Promise<unknown> {
  const [secretId = '', payload = '', ...rest] = sealed.split('.')
  const secret = rest.length === 0 ? await secrets.find(secretId) : undefined
  if (!secret) return undefined
  const content = decrypted(derived(secret.bytes, `${purpose} key`), utf8(digestOfJson(query)), fromBase64url(payload) ?? new Uint8Array())
  const json = content && readJson(content, { maxBytes: MAX_CONTENT_BYTES, maxDepth: 8 })
  return json && 'value' in json ? json.value : undefined
}

function decrypted(key: Uint8Array, context: Uint8Array, bytes: Uint8Array): Uint8Array | undefined {
  const nonce = bytes.slice(0, NONCE_BYTES)
  const tag = bytes.slice(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)
  if (tag.length < TAG_BYTES) return undefined
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(context).setAuthTag(tag)
  try {
    const content = concatBytes(decipher.update(bytes.slice(NONCE_BYTES + TAG_BYTES)), decipher.final())
    return inflateRawSync(content, { maxOutputLength: MAX_CONTENT_BYTES })
  } catch {
    return undefined
  }
}

function derived(secret: Uint8Array, purpose: string, ...content: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac('sha256', secret).update(purpose)
  for (const part of content) mac.update(part)
  return mac.digest()
}
