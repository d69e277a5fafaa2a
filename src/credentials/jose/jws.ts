import { errors, flattenedVerify } from 'jose'
import { z } from 'zod'
import { verifySignature } from '#crypto'
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../../lib/algorithms.js'
import { BoundedMap } from '../../lib/bounded-map.js'
import { fromBase64url, utf8 } from '../../lib/bytes.js'
import { deepFreeze } from '../../lib/deep-freeze.js'
import { isJsonObject, type JsonObject, readJson } from '../../lib/json.js'
import { quickParse } from '../../lib/quick-parse.js'
import { type ParsedKey, readPublicJwk, type VerificationKey } from './jwk.js'
import { loadKey } from './load-key.js'

/** The members of a protected header that are used. `jku`, `x5u` and `x5c` name keys that an attacker may choose, so they are ignored. */
const Header = z.object({
  alg: z.enum(SIGNATURE_ALGORITHMS),
  typ: z.string().max(64).optional(),
  cty: z.string().max(64).optional(),
  kid: z.string().min(1).max(256).optional(),
  jwk: z.record(z.string(), z.unknown()).optional(),
  crit: z.undefined().optional(),
  b64: z.undefined().optional(),
})
export type JwsHeader = z.infer<typeof Header>

export interface Jws {
  readonly header: JwsHeader
  readonly payload: Uint8Array
  readonly encoded: EncodedJws
  /** The decoded signature, of kinds that are hot (JwsRule). */
  readonly signature?: Uint8Array
}

/** The three parts of a JWS, each in canonical base64url, in the form that jose verifies (RFC 7515 §7.2.2). */
export interface EncodedJws {
  readonly protected: string
  readonly payload: string
  readonly signature: string
}

/** Limits of a JWS, fixed by its purpose. */
export interface JwsRule {
  readonly maxBytes: number
  readonly algs: readonly SignatureAlgorithm[]
  /** Accepted values of `typ`, in lower case. If the list contains `undefined`, a JWS without `typ` is accepted. */
  readonly typ: readonly (string | undefined)[]
  /** True only for DPoP proofs, whose header holds their key (RFC 9449 §4.2). */
  readonly allowsEmbeddedKey?: boolean
  /**
   * True for kinds that nearly every request contains. On Node, node:crypto checks their signatures instead of jose: docs/ARCHITECTURE.md has
   * the figures.
   */
  readonly isHot?: boolean
}

const MAX_HEADER_BYTES = 8192

/** Reads a compact JWS that conforms to the rule. Does not verify its signature. Returns a fault as a string. */
export function readJws(token: unknown, rule: JwsRule): Jws | string {
  if (typeof token !== 'string') return 'it is not a string'
  if (token.length > rule.maxBytes) return `it is longer than ${rule.maxBytes} bytes`
  const [head, body, tail, ...more] = token.split('.')
  if (head === undefined || body === undefined || tail === undefined || more.length > 0) return 'it does not have three parts'
  const payload = fromBase64url(body)
  const signature = fromBase64url(tail)
  if (payload === undefined || signature === undefined) return 'its payload or signature is not canonical base64url'
  const header = readHeader(head, rule)
  if (typeof header === 'string') return header
  return { header, payload, encoded: { protected: head, payload: body, signature: tail }, ...(rule.isHot && { signature }) }
}

/** Reads a protected header (base64url) that conforms to the rule. Returns a fault as a string. */
export function readHeader(encoded: string, rule: JwsRule): JwsHeader | string {
  const header = headers.get(encoded) ?? parseHeader(encoded)
  if (typeof header === 'string') return header
  if (!rule.algs.includes(header.alg)) return `its algorithm is not one of ${rule.algs.join(', ')}`
  if (!rule.typ.includes(header.typ)) return `its \`typ\` is not ${rule.typ.find((typ) => typ !== undefined) ?? 'absent'}`
  if (header.jwk !== undefined && !rule.allowsEmbeddedKey) return 'its header has a `jwk`, which only a DPoP proof may have'
  return header
}

/** Parsed headers by their text, because all tokens of one kind that one key signs have the same header. */
const headers = new BoundedMap<string, JwsHeader>(1024)
const MAX_CACHED_LENGTH = 1024

function parseHeader(encoded: string): JwsHeader | string {
  const bytes = encoded.length <= MAX_HEADER_BYTES ? fromBase64url(encoded) : undefined
  if (bytes === undefined) return 'its header is not canonical base64url'
  const json = readJson(bytes, { maxBytes: MAX_HEADER_BYTES, maxDepth: 8 })
  if ('fault' in json) return `its header is invalid: ${json.fault}`
  const parsed = quickParse(Header, json.value)
  // RFC 7515 §4.1.11: no extension is supported, so any `crit` is refused, and with it `b64` (RFC 7797).
  if (!parsed.success) return `its header member \`${parsed.error.issues[0]?.path.join('.') ?? ''}\` is missing, invalid or not supported`
  const { typ, ...members } = parsed.data
  const header = deepFreeze(typ === undefined ? members : { ...members, typ: bareType(typ) })
  return encoded.length > MAX_CACHED_LENGTH ? header : headers.set(encoded, header)
}

// RFC 7515 §4.1.9: a media type is compared without case, and `application/` may be omitted.
const bareType = (typ: string): string => typ.toLowerCase().replace(/^application\//, '')

/**
 * Maximum number of keys that one signature is checked with. It counts only keys that fit `kid` and `alg` of the header, and is above the
 * number of keys that may sign anything here: MAX_KEYS of an agent and MAX_KEYS of its organisation.
 */
export const MAX_KEYS_TRIED = 64

/**
 * Returns the key among `keys` that made the signature, or undefined. A `kid` in the header must be the thumbprint of that key or the `kid` of
 * its JWK.
 */
export async function findSigner(jws: SignedParts, keys: readonly VerificationKey[]): Promise<ParsedKey | undefined> {
  for (const key of fittingKeys(jws.header, keys).slice(0, MAX_KEYS_TRIED)) if (await isSignedBy(jws, key)) return key
  return undefined
}

/** The keys that a header may name. Without a `kid`, every key of its algorithm fits. */
export const fittingKeys = ({ alg, kid }: Pick<JwsHeader, 'alg' | 'kid'>, keys: readonly VerificationKey[]): ParsedKey[] =>
  keys.flatMap(({ jwk, alg: ofKey }) => {
    const key = parsedKeyOf(jwk, ofKey ?? alg)
    if (typeof key === 'string' || key.alg !== alg) return []
    return kid === undefined || kid === key.jkt || kid === jwk.kid ? [key] : []
  })

type SignedParts = Pick<Jws, 'header' | 'encoded' | 'signature'>

const parsedByJwk = new WeakMap<object, Map<SignatureAlgorithm, ParsedKey | string>>()

/** Parses each JWK object once. Callers do not change their JWKs. */
export function parsedKeyOf(jwk: VerificationKey['jwk'], alg: SignatureAlgorithm): ParsedKey | string {
  const cached = parsedByJwk.get(jwk)?.get(alg)
  if (cached !== undefined) return cached
  const key = readPublicJwk(jwk, [alg])
  parsedByJwk.set(jwk, (parsedByJwk.get(jwk) ?? new Map()).set(alg, key))
  return key
}

/** True if `keys` contains the key, for the same algorithm. */
export const isKeyAmong = (key: ParsedKey, keys: readonly VerificationKey[]): boolean =>
  keys.some(({ jwk, alg }) => {
    const candidate = parsedKeyOf(jwk, alg ?? key.alg)
    return typeof candidate !== 'string' && candidate.jkt === key.jkt && candidate.alg === key.alg
  })

/**
 * True if `key` made the signature. Pass only parts that readJws or readHeader has accepted: jose itself accepts base64url that is not canonical
 * and headers with duplicate members.
 */
export async function isSignedBy({ header, encoded, signature }: SignedParts, key: ParsedKey): Promise<boolean> {
  if (key.alg !== header.alg) return false
  const imported = await loadKey(key)
  if (imported === undefined) return false
  // The signing input (RFC 7515 §5.2)
  if (signature) return verifySignature(key.alg, imported, signature, utf8(`${encoded.protected}.${encoded.payload}`))
  try {
    await flattenedVerify(encoded, imported, { algorithms: [key.alg] })
    return true
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return false
    throw error
  }
}

/** Reads the claims of a JWT. Returns a fault as a string. */
export function readClaims(payload: Uint8Array): JsonObject | string {
  const json = readJson(payload)
  if ('fault' in json) return `its claims are invalid: ${json.fault}`
  return isJsonObject(json.value) ? json.value : 'its claims are not a JSON object'
}
