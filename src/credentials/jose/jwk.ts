import { importPublicKey, type PublicKey } from '#crypto'
import { type Reason, refuse } from '../../errors.js'
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../../lib/algorithms.js'
import { fromBase64url } from '../../lib/bytes.js'
import { frozen } from '../../lib/frozen.js'
import { isJsonObject, type JsonObject } from '../../lib/json.js'
import { Jkt } from '../../protocol/ids.js'
import { digestOfJson } from './digest.js'

/** The minimal members of a public key (RFC 7638 §3.2) and nothing else. */
export type PublicJwk =
  | { readonly kty: 'EC'; readonly crv: 'P-256' | 'P-384'; readonly x: string; readonly y: string }
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }

/** A key with the one algorithm that it may be used with (RFC 8725 §3.1). */
export interface VerificationKey {
  readonly jwk: Readonly<Record<string, unknown>>
  readonly alg?: SignatureAlgorithm | undefined
}

export interface ParsedKey {
  readonly jwk: PublicJwk
  readonly alg: SignatureAlgorithm
  readonly jkt: Jkt
}

/** A public signing key reduced to its minimal members, or a refusal. That a point is on its curve shows when it is loaded. */
export function parsePublicJwk(
  value: unknown,
  algs: readonly SignatureAlgorithm[] = SIGNATURE_ALGORITHMS,
  reason: Reason = 'key_invalid',
): ParsedKey {
  const read = readPublicJwk(value, algs)
  return typeof read === 'string' ? refuse(reason, `the key is refused: ${read}`, { faults: [{ pointer: '', hint: read }] }) : read
}

/** As parsePublicJwk; a text says what is wrong. */
export function readPublicJwk(value: unknown, algs: readonly SignatureAlgorithm[] = SIGNATURE_ALGORITHMS): ParsedKey | string {
  if (!isJsonObject(value)) return 'it is not a JSON object'
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(value, name))) return 'it has private members: send the public key only'
  const fault = usageFault(value)
  if (fault !== undefined) return fault
  const found = bareKey(value)
  if (typeof found === 'string') return found
  // An RSA key fits two algorithms; `alg`, or the first that is allowed, decides for one.
  const alg = algs.find((one) => found.algs.includes(one) && (value.alg === undefined || value.alg === one))
  if (alg === undefined) return `its algorithm is none of ${algs.join(', ')}`
  const name = `${alg} ${found.jwk.kty === 'RSA' ? found.jwk.n : `${found.jwk.x} ${found.jwk.kty === 'EC' ? found.jwk.y : ''}`}`
  return keptIn(read, name) ?? keep(read, name, frozen({ jwk: found.jwk, alg, jkt: thumbprint(found.jwk) }))
}

/** Keys by all that they say: a caller comes with the same again and again. An algorithm is used with keys of one type and curve. */
const read = new Map<string, ParsedKey>()

/** RFC 7638 thumbprint (SHA-256): a key's name. */
export const thumbprint = (jwk: PublicJwk): Jkt => Jkt.parse(digestOfJson(jwk))

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

// RFC 7517 §4.2–4.3: what a key says of its use is honoured.
function usageFault(jwk: JsonObject): string | undefined {
  if (jwk.use !== undefined && jwk.use !== 'sig') return '`use` is not `sig`'
  if (jwk.key_ops !== undefined && !(Array.isArray(jwk.key_ops) && jwk.key_ops.includes('verify'))) return '`key_ops` has no `verify`'
  return undefined
}

function bareKey(jwk: JsonObject): { readonly jwk: PublicJwk; readonly algs: readonly SignatureAlgorithm[] } | string {
  const { kty, crv } = jwk
  if (kty === 'EC' && (crv === 'P-256' || crv === 'P-384')) {
    const length = crv === 'P-256' ? 32 : 48
    const { x, y } = jwk
    if (!isOfLength(x, length) || !isOfLength(y, length)) return '`x` and `y` are not coordinates of its curve'
    return { jwk: { kty, crv, x, y }, algs: [crv === 'P-256' ? 'ES256' : 'ES384'] }
  }
  if (kty === 'OKP' && crv === 'Ed25519') {
    return isOfLength(jwk.x, 32) ? { jwk: { kty, crv, x: jwk.x }, algs: ['EdDSA'] } : '`x` is not an Ed25519 key'
  }
  if (kty === 'RSA') return bareRsa(jwk)
  return '`kty` and `crv` are none of EC P-256, EC P-384, RSA, OKP Ed25519'
}

function bareRsa({ n, e }: JsonObject): { readonly jwk: PublicJwk; readonly algs: readonly SignatureAlgorithm[] } | string {
  if (e !== 'AQAB') return '`e` is not 65537'
  // RFC 7518 §6.3.1.1: no leading zero. 4096 bits are 683 characters: longer ones are not decoded.
  const modulus = typeof n === 'string' && n.length <= 683 ? fromBase64url(n) : undefined
  if (typeof n !== 'string' || modulus === undefined || !modulus[0]) return '`n` is not a modulus of 2048 to 4096 bits'
  const bits = modulus.length * 8 - (Math.clz32(modulus[0]) - 24)
  if (bits < 2048 || bits > 4096) return '`n` is not a modulus of 2048 to 4096 bits'
  return { jwk: { kty: 'RSA', n, e }, algs: ['PS256', 'RS256'] }
}

const isOfLength = (value: unknown, bytes: number): value is string =>
  typeof value === 'string' && value.length <= 2 * bytes && fromBase64url(value)?.length === bytes

const CACHED_KEYS = 1024
const loaded = new Map<string, PublicKey>()

/** The imported key, from a cache by thumbprint and algorithm: importing costs as much as verifying. Undefined where the platform refuses it. */
export async function loadKey(key: ParsedKey): Promise<PublicKey | undefined> {
  const name = `${key.jkt}.${key.alg}`
  const known = keptIn(loaded, name)
  if (known !== undefined) return known
  const imported = await importPublicKey(key.jwk, key.alg)
  return imported && keep(loaded, name, imported)
}

/** What was used last is the last to go. */
function keptIn<V>(cache: Map<string, V>, name: string): V | undefined {
  const known = cache.get(name)
  return known === undefined ? undefined : keep(cache, name, known)
}

function keep<V>(cache: Map<string, V>, name: string, value: V): V {
  cache.delete(name)
  cache.set(name, value)
  const oldest = cache.size > CACHED_KEYS ? cache.keys().next().value : undefined
  if (oldest !== undefined) cache.delete(oldest)
  return value
}

/** As parsePublicJwk, and the platform has imported it: a point off its curve is refused too. */
export async function requireUsableKey(
  value: unknown,
  algs?: readonly SignatureAlgorithm[],
  reason: Reason = 'key_invalid',
): Promise<ParsedKey> {
  const key = parsePublicJwk(value, algs, reason)
  return (await loadKey(key)) === undefined ? refuse(reason, 'the key is refused: it is no point of its curve') : key
}
