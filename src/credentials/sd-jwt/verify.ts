// Verifies SD-JWTs by RFC 9901 §7.1. @sd-jwt/core only issues and serves as an oracle in tests, because it accepts inputs that the RFC refuses.
//
// 1. Split the text, check its size and the number of disclosures, and read the issuer-signed JWT with the strict JWS reader.
// 2. Decode and hash each disclosure once, into a map by digest.
// 3. Walk the payload, and inside it the value of each disclosure that its digests name. The walk builds the payload with and without the
//    disclosures, and records the pointer of each disclosure and the number of digests of each container.
// 4. Refuse digests that occur twice, and disclosures that the walk did not meet.
// 5. Check the signature (verifySdJwt). The result must not be used before that.
//
// Cost: linear in the size of the text, one SHA-256 per disclosure, one signature check per candidate key.
// Limits, each checked before the work that it bounds: MAX_SD_JWT_BYTES, MAX_DISCLOSURES, MAX_DISCLOSURE_BYTES, MAX_DIGESTS, MAX_DEPTH.
// Types, dates, issuer and key binding are not checked here: card-credential.ts and key-binding.ts do that.
import { type Reason, refuse } from '../../errors.js'
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../../lib/algorithms.js'
import { fromBase64url } from '../../lib/bytes.js'
import { isJsonObject, type JsonObject, type JsonValue, readJson, UNSAFE_NAMES } from '../../lib/json.js'
import { pointerToken } from '../../lib/json-pointer.js'
import type { Jkt } from '../../protocol/ids.js'
import { digestOfText } from '../jose/digest.js'
import type { VerificationKey } from '../jose/jwk.js'
import { findSigner, type Jws, readClaims, readJws } from '../jose/jws.js'

export const MAX_SD_JWT_BYTES = 262_144
export const MAX_DISCLOSURES = 512
const MAX_DIGESTS = 4096
const MAX_DEPTH = 32
const MAX_DISCLOSURE_BYTES = 98_304

/** A disclosure of the presentation. */
export interface Disclosure {
  /** base64url, as it was sent. */
  readonly encoded: string
  readonly digest: string
  readonly salt: string
  /** Name of an object member; absent for an array element. */
  readonly name?: string
  readonly value: JsonValue
  /** Position in the signed payload. Array indexes count placeholders and decoys, so they do not change if other disclosures are withheld. */
  readonly pointer: string
  /** Digest of the innermost disclosure that contains this one. A presentation must include both or withhold this one. */
  readonly parentDigest?: string
}

/** An object or array of the signed payload that has digests. */
export interface Container {
  readonly pointer: string
  readonly kind: 'object' | 'array'
  /** Digests in `_sd`, or placeholders of the array. */
  readonly digestCount: number
  /** Indexes of an array's placeholders without a disclosure: withheld elements and decoys. Empty for an object. */
  readonly withheld: readonly number[]
  readonly disclosedCount: number
}

export interface ProcessedSdJwt {
  readonly header: Jws['header']
  /** The issuer-signed JWT. Its signature is verified by verifySdJwt only. */
  readonly jws: Jws
  /** The processed payload (RFC 9901 §7.1 step 3). Its objects have no prototype. */
  readonly payload: JsonObject
  /** The processed payload of the presentation without disclosures. */
  readonly undisclosed: JsonObject
  /** A disclosure that contains others comes before them. */
  readonly disclosures: readonly Disclosure[]
  readonly containers: readonly Container[]
  readonly keyBinding?: string
  /** Hash of everything before the key binding (RFC 9901 §4.3.1). */
  readonly sdHash: string
}

interface SdJwtRule {
  readonly typ: readonly (string | undefined)[]
  readonly algs?: readonly SignatureAlgorithm[]
  readonly maxBytes?: number
  readonly reason?: Reason
}

/** Processes an SD-JWT and verifies its signature under one of the keys. */
export async function verifySdJwt(
  compact: unknown,
  keys: readonly VerificationKey[],
  rule: SdJwtRule,
): Promise<ProcessedSdJwt & { readonly jkt: Jkt; readonly alg: SignatureAlgorithm }> {
  const processed = processSdJwt(compact, rule)
  const key = await findSigner(processed.jws, keys)
  if (key === undefined)
    return refuse(rule.reason ?? 'sd_jwt_invalid', 'invalid SD-JWT: no accepted key signed it (its key may be unknown or revoked)')
  return { ...processed, jkt: key.jkt, alg: key.alg }
}

/**
 * Processes an SD-JWT without verifying its signature. Throws only Refusals (`sd_jwt_invalid`), for any input.
 *
 * @see [RFC 9901 §7.1](https://www.rfc-editor.org/rfc/rfc9901.html#section-7.1)
 */
export function processSdJwt(compact: unknown, rule: SdJwtRule): ProcessedSdJwt {
  const deny: Deny = (hint, pointer) =>
    refuse(rule.reason ?? 'sd_jwt_invalid', `invalid SD-JWT: ${hint}`, pointer === undefined ? {} : { faults: [{ pointer, hint }] })
  const maxBytes = rule.maxBytes ?? MAX_SD_JWT_BYTES
  if (typeof compact !== 'string') return deny('it is not a string')
  if (compact.length > maxBytes) return deny(`it is longer than ${maxBytes} bytes`)
  const end = compact.lastIndexOf('~')
  // RFC 9901 §4: an SD-JWT without disclosures has a tilde too.
  if (end < 0) return deny('it has no `~`')
  const [jwt = '', ...encoded] = compact.slice(0, end).split('~')
  const keyBinding = compact.slice(end + 1)
  if (encoded.length > MAX_DISCLOSURES) return deny(`it has more than ${MAX_DISCLOSURES} disclosures`)
  const jws = readJws(jwt, { maxBytes, algs: rule.algs ?? SIGNATURE_ALGORITHMS, typ: rule.typ })
  if (typeof jws === 'string') return deny(jws)
  const claims = readClaims(jws.payload)
  if (typeof claims === 'string') return deny(claims)
  // RFC 9901 §4.1.1: the default is sha-256. Names are compared exactly.
  if (claims._sd_alg !== undefined && claims._sd_alg !== 'sha-256') return deny('`_sd_alg` is not `sha-256`')

  const walk: Walk = { deny, received: readDisclosures(encoded, deny), digests: new Set(), disclosures: [], containers: [] }
  const { _sd_alg: _, ...signedClaims } = claims
  const payload = walkObject(signedClaims, { pointer: '', depth: 1 }, walk)
  if (walk.disclosures.length < walk.received.size) return deny('a disclosure has a digest that does not occur in the payload')
  return {
    header: jws.header,
    jws,
    payload: payload.disclosed,
    undisclosed: payload.undisclosed,
    disclosures: walk.disclosures,
    containers: walk.containers,
    ...(keyBinding === '' ? {} : { keyBinding }),
    sdHash: digestOfText(compact.slice(0, end + 1)),
  }
}

type Deny = (hint: string, pointer?: string) => never
type ReceivedDisclosure = Omit<Disclosure, 'pointer' | 'parentDigest'>

interface Walk {
  readonly deny: Deny
  readonly received: ReadonlyMap<string, ReceivedDisclosure>
  /** All digests met so far, those of decoys and withheld disclosures included. */
  readonly digests: Set<string>
  /** Disclosures met so far. */
  readonly disclosures: Disclosure[]
  readonly containers: Container[]
}

/** Position of a value in the walk. */
interface WalkPosition {
  readonly pointer: string
  readonly depth: number
  readonly parentDigest?: string
}

/** A processed value with and without the disclosures. */
interface Processed<T> {
  readonly disclosed: T
  readonly undisclosed: T
}

/** 22 characters of base64url are 128 bits (RFC 9901 §9.3). */
const MIN_SALT_LENGTH = 22
const RESERVED_NAMES: ReadonlySet<string> = new Set(['_sd', '...', '_sd_alg', ''])

/** True for claim names that are never disclosed: reserved ones (RFC 9901 §4.2.1) and those that every object inherits. */
export const isForbiddenName = (name: string): boolean => RESERVED_NAMES.has(name) || UNSAFE_NAMES.has(name) || name in Object.prototype

function readDisclosures(encoded: readonly string[], deny: Deny): Map<string, ReceivedDisclosure> {
  const received = new Map<string, ReceivedDisclosure>()
  for (const text of encoded) {
    const disclosure = readDisclosure(text, deny)
    if (received.has(disclosure.digest)) deny('a disclosure is sent twice')
    received.set(disclosure.digest, disclosure)
  }
  return received
}

function readDisclosure(encoded: string, deny: Deny): ReceivedDisclosure {
  const bytes = encoded === '' || encoded.length > MAX_DISCLOSURE_BYTES ? undefined : fromBase64url(encoded)
  if (bytes === undefined) return deny(`a disclosure is empty, longer than ${MAX_DISCLOSURE_BYTES} bytes or not canonical base64url`)
  const json = readJson(bytes, { maxDepth: MAX_DEPTH })
  if ('fault' in json) return deny(`a disclosure is invalid: ${json.fault}`)
  if (!Array.isArray(json.value)) return deny('a disclosure is not an array')
  const parts: readonly JsonValue[] = json.value
  const [salt, second, third] = parts
  if (typeof salt !== 'string' || salt.length < MIN_SALT_LENGTH) return deny('the salt of a disclosure has fewer than 128 bits')
  const digest = digestOfText(encoded)
  if (parts.length === 2 && second !== undefined) return { encoded, digest, salt, value: second }
  if (parts.length !== 3 || third === undefined) return deny('a disclosure has neither two nor three elements')
  if (typeof second !== 'string' || isForbiddenName(second)) return deny('the claim name of a disclosure is reserved or not a string')
  return { encoded, digest, salt, name: second, value: third }
}

const childOf = ({ depth, parentDigest }: WalkPosition, pointer: string): WalkPosition => ({
  pointer,
  depth: depth + 1,
  ...(parentDigest === undefined ? {} : { parentDigest }),
})

function walkValue(value: JsonValue, position: WalkPosition, walk: Walk): Processed<JsonValue> {
  if (Array.isArray(value)) return walkArray(value, position, walk)
  if (isJsonObject(value)) return walkObject(value, position, walk)
  return { disclosed: value, undisclosed: value }
}

function walkObject(object: JsonObject, position: WalkPosition, walk: Walk): Processed<JsonObject> {
  const { pointer, depth } = position
  if (depth > MAX_DEPTH) walk.deny(`it is nested deeper than ${MAX_DEPTH} levels`)
  const disclosed: Record<string, JsonValue> = Object.create(null)
  const undisclosed: Record<string, JsonValue> = Object.create(null)
  for (const [name, value] of Object.entries(object)) {
    if (name === '_sd') continue
    if (name === '...' || name === '_sd_alg') walk.deny(`the name \`${name}\` is reserved`, pointer)
    const member = walkValue(value, childOf(position, `${pointer}/${pointerToken(name)}`), walk)
    disclosed[name] = member.disclosed
    undisclosed[name] = member.undisclosed
  }
  if (Object.hasOwn(object, '_sd')) discloseMembers(object._sd, disclosed, position, walk)
  return { disclosed, undisclosed }
}

function discloseMembers(digests: JsonValue | undefined, members: Record<string, JsonValue>, position: WalkPosition, walk: Walk): void {
  const { pointer } = position
  if (!Array.isArray(digests)) walk.deny('`_sd` is not an array', pointer)
  const found = digests.map((digest) => findDisclosure(digest, pointer, walk)).filter((disclosure) => disclosure !== undefined)
  walk.containers.push({ pointer, kind: 'object', withheld: [], digestCount: digests.length, disclosedCount: found.length })
  for (const disclosure of found) {
    const { name } = disclosure
    if (name === undefined) walk.deny('a disclosure of an array element is used for a member', pointer)
    // RFC 9901 §7.1 step 3.c.ii: a disclosure must not overwrite a claim.
    if (Object.hasOwn(members, name)) walk.deny('a disclosure repeats a claim', pointer)
    members[name] = walkDisclosure(disclosure, childOf(position, `${pointer}/${pointerToken(name)}`), walk)
  }
}

function walkArray(array: readonly JsonValue[], position: WalkPosition, walk: Walk): Processed<readonly JsonValue[]> {
  const { pointer, depth } = position
  if (depth > MAX_DEPTH) walk.deny(`it is nested deeper than ${MAX_DEPTH} levels`)
  const disclosed: JsonValue[] = []
  const undisclosed: JsonValue[] = []
  const withheld: number[] = []
  let digestCount = 0
  let disclosedCount = 0
  for (const [i, element] of array.entries()) {
    const child = childOf(position, `${pointer}/${i}`)
    if (!isJsonObject(element) || !Object.hasOwn(element, '...')) {
      const processed = walkValue(element, child, walk)
      disclosed.push(processed.disclosed)
      undisclosed.push(processed.undisclosed)
      continue
    }
    if (Object.keys(element).length !== 1) walk.deny('a placeholder has other members', child.pointer)
    digestCount++
    const disclosure = findDisclosure(element['...'], child.pointer, walk)
    if (disclosure === undefined) {
      withheld.push(i)
      continue
    }
    if (disclosure.name !== undefined) walk.deny('a disclosure of a member is used for an array element', child.pointer)
    disclosedCount++
    disclosed.push(walkDisclosure(disclosure, child, walk))
  }
  if (digestCount > 0) walk.containers.push({ pointer, kind: 'array', withheld, digestCount, disclosedCount })
  return { disclosed, undisclosed }
}

/** Records the disclosure and processes its value. */
function walkDisclosure(disclosure: ReceivedDisclosure, position: WalkPosition, walk: Walk): JsonValue {
  const { pointer, depth, parentDigest } = position
  walk.disclosures.push({ ...disclosure, pointer, ...(parentDigest === undefined ? {} : { parentDigest }) })
  return walkValue(disclosure.value, { pointer, depth, parentDigest: disclosure.digest }, walk).disclosed
}

/** The disclosure of a digest, or undefined for a decoy or a withheld disclosure. A digest occurs only once (RFC 9901 §7.1 step 4). */
function findDisclosure(digest: JsonValue | undefined, pointer: string, walk: Walk): ReceivedDisclosure | undefined {
  if (typeof digest !== 'string' || digest.length !== 43) return walk.deny('a digest is not the base64url of 32 bytes', pointer)
  if (walk.digests.has(digest)) return walk.deny('a digest occurs twice', pointer)
  if (walk.digests.size >= MAX_DIGESTS) return walk.deny(`it has more than ${MAX_DIGESTS} digests`, pointer)
  walk.digests.add(digest)
  return walk.received.get(digest)
}
