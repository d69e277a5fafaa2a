import { z } from 'zod'
import { verifySignature } from '#crypto'
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../../lib/algorithms.js'
import { fromBase64url, utf8 } from '../../lib/bytes.js'
import { isJsonObject, type JsonObject, readJson } from '../../lib/json.js'
import { loadKey, type ParsedKey, readPublicJwk, type VerificationKey } from './jwk.js'

/** What is read of a protected header. Others (`jku`, `x5u`, `x5c`) are hints by a stranger: nothing here reads them. */
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
  readonly signature: Uint8Array
  readonly signed: Uint8Array
}

/** What a purpose allows of a JWS. */
export interface JwsRule {
  readonly maxBytes: number
  readonly algs: readonly SignatureAlgorithm[]
  /** Accepted `typ`, lower case; undefined among them accepts its absence. */
  readonly typ: readonly (string | undefined)[]
  /** Only a DPoP proof brings its own key (RFC 9449 §4.2). */
  readonly mayBringKey?: boolean
}

const MAX_HEADER_BYTES = 8192

/** A compact JWS that keeps the rule, unverified; a text says what is wrong with it. */
export function readJws(token: unknown, rule: JwsRule): Jws | string {
  if (typeof token !== 'string') return 'it is not a text'
  if (token.length > rule.maxBytes) return `it is longer than ${rule.maxBytes} bytes`
  const [head, body, tail, ...more] = token.split('.')
  if (head === undefined || body === undefined || tail === undefined || more.length > 0) return 'it has not three parts'
  const payload = fromBase64url(body)
  const signature = fromBase64url(tail)
  if (payload === undefined || signature === undefined) return 'a part is not canonical base64url'
  const header = readHeader(head, rule)
  return typeof header === 'string' ? header : { header, payload, signature, signed: utf8(`${head}.${body}`) }
}

/** A protected header (base64url) that keeps the rule; a text says what is wrong with it. */
export function readHeader(encoded: string, rule: JwsRule): JwsHeader | string {
  const bytes = encoded.length <= MAX_HEADER_BYTES ? fromBase64url(encoded) : undefined
  if (bytes === undefined) return 'its header is not canonical base64url'
  const json = readJson(bytes, { maxBytes: MAX_HEADER_BYTES, maxDepth: 8 })
  if ('fault' in json) return `its header is refused: ${json.fault}`
  const parsed = Header.safeParse(json.value)
  // RFC 7515 §4.1.11: we understand no extension, so every `crit` is fatal; `b64` (RFC 7797) with it.
  if (!parsed.success) return `its header is refused at \`${parsed.error.issues[0]?.path.join('.') ?? ''}\``
  const header = parsed.data
  if (!rule.algs.includes(header.alg)) return `its algorithm is none of ${rule.algs.join(', ')}`
  if (!rule.typ.includes(bareType(header.typ))) return `its type is not ${rule.typ.find((one) => one !== undefined) ?? 'absent'}`
  if (header.jwk !== undefined && !rule.mayBringKey) return 'it brings its own key'
  return header
}

// RFC 7515 §4.1.9: a media type, compared without case, `application/` may be left out.
const bareType = (typ: string | undefined): string | undefined => typ?.toLowerCase().replace(/^application\//, '')

/** The key that signed among `keys`, or undefined. A key with a `kid` question is answered by thumbprint or its own `kid`. */
export async function findSigner(
  jws: Pick<Jws, 'header' | 'signature' | 'signed'>,
  keys: readonly VerificationKey[],
): Promise<ParsedKey | undefined> {
  for (const { jwk, alg } of keys) {
    const key = heldKey(jwk, alg ?? jws.header.alg)
    if (typeof key === 'string' || key.alg !== jws.header.alg) continue
    if (jws.header.kid !== undefined && jws.header.kid !== key.jkt && jws.header.kid !== jwk.kid) continue
    if (await isSignedBy(jws, key)) return key
  }
  return undefined
}

const held = new WeakMap<object, Map<SignatureAlgorithm, ParsedKey | string>>()

/** A key that somebody holds on to is read once. */
function heldKey(jwk: VerificationKey['jwk'], alg: SignatureAlgorithm): ParsedKey | string {
  const known = held.get(jwk)?.get(alg)
  if (known !== undefined) return known
  const key = readPublicJwk(jwk, [alg])
  held.set(jwk, (held.get(jwk) ?? new Map()).set(alg, key))
  return key
}

/** True where the key is still among those that count. */
export const isAmong = (key: ParsedKey, keys: readonly VerificationKey[]): boolean =>
  keys.some(({ jwk, alg }) => {
    const one = heldKey(jwk, alg ?? key.alg)
    return typeof one !== 'string' && one.jkt === key.jkt && one.alg === key.alg
  })

export async function isSignedBy(jws: Pick<Jws, 'header' | 'signature' | 'signed'>, key: ParsedKey): Promise<boolean> {
  if (key.alg !== jws.header.alg) return false
  const imported = await loadKey(key)
  return imported !== undefined && (await verifySignature(key.alg, imported, jws.signature, jws.signed))
}

/** The claims set of a JWT; a text says what is wrong with it. */
export function readClaims(payload: Uint8Array): JsonObject | string {
  const json = readJson(payload)
  if ('fault' in json) return `its claims are refused: ${json.fault}`
  return isJsonObject(json.value) ? json.value : 'its claims are not an object'
}
