import { type Reason, refuse } from '../../errors.js'
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../../lib/algorithms.js'
import { BoundedMap } from '../../lib/bounded-map.js'
import { fromBase64url } from '../../lib/bytes.js'
import { deepFreeze } from '../../lib/deep-freeze.js'
import { isJsonObject, type JsonObject } from '../../lib/json.js'
import { Jkt } from '../../protocol/ids.js'
import { degeneracyOf } from './degenerate-keys.js'
import { digestOfJson } from './digest.js'
import type { PublicJwk } from './public-jwk.js'

/** A key with the only algorithm that it may be used with (RFC 8725 §3.1). */
export interface VerificationKey {
  readonly jwk: Readonly<Record<string, unknown>>
  readonly alg?: SignatureAlgorithm | undefined
}

export interface ParsedKey {
  readonly jwk: PublicJwk
  readonly alg: SignatureAlgorithm
  readonly jkt: Jkt
}

/**
 * Parses a public signing key, and drops all members that its thumbprint does not need. A point that is not on its curve is detected only by
 * `loadKey`.
 */
export function parsePublicJwk(
  value: unknown,
  algs: readonly SignatureAlgorithm[] = SIGNATURE_ALGORITHMS,
  reason: Reason = 'key_invalid',
): ParsedKey {
  const key = readPublicJwk(value, algs)
  return typeof key === 'string' ? refuse(reason, `invalid key: ${key}`, { faults: [{ pointer: '', hint: key }] }) : key
}

/** Like parsePublicJwk, but returns a fault as a string instead of refusing. */
export function readPublicJwk(value: unknown, algs: readonly SignatureAlgorithm[] = SIGNATURE_ALGORITHMS): ParsedKey | string {
  if (!isJsonObject(value)) return 'it is not a JSON object'
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(value, name))) return 'it has private members; send the public key only'
  const fault = usageFault(value)
  if (fault !== undefined) return fault
  const minimal = minimalKey(value)
  if (typeof minimal === 'string') return minimal
  // An RSA key works with two algorithms: its `alg` decides, and without `alg` the first allowed algorithm is used.
  const alg = algs.find((allowed) => minimal.algs.includes(allowed) && (value.alg === undefined || value.alg === allowed))
  if (alg === undefined) return `its algorithm is not one of ${algs.join(', ')}`
  const { jwk } = minimal
  const name = `${alg} ${jwk.kty === 'RSA' ? jwk.n : `${jwk.x} ${jwk.kty === 'EC' ? jwk.y : ''}`}`
  const known = parsedKeys.get(name)
  if (known !== undefined) return known
  return degeneracyOf(jwk) ?? parsedKeys.set(name, deepFreeze({ jwk, alg, jkt: thumbprint(jwk) }))
}

const MAX_CACHED_KEYS = 1024
/** Parsed keys by algorithm and coordinates. A caller sends the same key with each proof. The algorithm implies the key type and curve. */
const parsedKeys = new BoundedMap<string, ParsedKey>(MAX_CACHED_KEYS)

/**
 * RFC 7638 thumbprint (SHA-256) of a key.
 * jose's calculateJwkThumbprint is not used, because it is asynchronous, and lists of keys are filtered synchronously. A test checks that both
 * return the same value.
 */
export const thumbprint = (jwk: PublicJwk): Jkt => Jkt.parse(digestOfJson(jwk))

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

// RFC 7517 §4.2–4.3: `use` and `key_ops` restrict a key.
function usageFault(jwk: JsonObject): string | undefined {
  if (jwk.use !== undefined && jwk.use !== 'sig') return '`use` is not `sig`'
  if (jwk.key_ops !== undefined && !(Array.isArray(jwk.key_ops) && jwk.key_ops.includes('verify'))) return '`key_ops` has no `verify`'
  return undefined
}

function minimalKey(jwk: JsonObject): { readonly jwk: PublicJwk; readonly algs: readonly SignatureAlgorithm[] } | string {
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
  if (kty === 'RSA') return minimalRsaKey(jwk)
  return 'its `kty` and `crv` are not EC P-256, EC P-384, RSA or OKP Ed25519'
}

function minimalRsaKey({ n, e }: JsonObject): { readonly jwk: PublicJwk; readonly algs: readonly SignatureAlgorithm[] } | string {
  if (e !== 'AQAB') return '`e` is not 65537'
  // RFC 7518 §6.3.1.1: no leading zero. 4096 bits are 683 characters; a longer modulus is refused before it is decoded.
  const modulus = typeof n === 'string' && n.length <= 683 ? fromBase64url(n) : undefined
  if (typeof n !== 'string' || modulus === undefined || !modulus[0]) return '`n` is not a modulus of 2048 to 4096 bits'
  const bits = modulus.length * 8 - (Math.clz32(modulus[0]) - 24)
  if (bits < 2048 || bits > 4096) return '`n` is not a modulus of 2048 to 4096 bits'
  return { jwk: { kty: 'RSA', n, e }, algs: ['PS256', 'RS256'] }
}

const isOfLength = (value: unknown, bytes: number): value is string =>
  typeof value === 'string' && value.length <= 2 * bytes && fromBase64url(value)?.length === bytes
