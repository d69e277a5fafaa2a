// SD-JWT verification, our own and strict (RFC 9901 §7.1). The work is bounded before it begins: bytes, then the number of disclosures,
// each of which is hashed once; then one walk over the payload and over what is disclosed, in which every digest may stand once.
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
export const MAX_DIGESTS = 4096
const MAX_DEPTH = 32
const MAX_DISCLOSURE_BYTES = 98_304

/** One disclosure that the presentation shows. */
export interface Disclosure {
  /** base64url as sent. */
  readonly encoded: string
  readonly digest: string
  readonly salt: string
  /** Of an object member; absent for an array element. */
  readonly name?: string
  readonly value: JsonValue
  /** Where it stands in the signed payload: array positions count placeholders and decoys, so withholding others does not move it. */
  readonly pointer: string
  /** The nearest disclosure that this one stands in: without it this one may not be presented. */
  readonly within?: string
}

/** Where digests stand in the signed payload, and how many: padding can be judged by it. */
export interface Container {
  readonly pointer: string
  readonly kind: 'object' | 'array'
  /** Digests in `_sd`, or placeholders of the array. */
  readonly digests: number
  readonly disclosed: number
}

export interface ProcessedSdJwt {
  readonly header: Jws['header']
  /** The issuer-signed JWT, unverified until verifySdJwt has answered. */
  readonly jws: Jws
  /** The processed payload (RFC 9901 §7.1 step 3): objects without prototype. */
  readonly payload: JsonObject
  /** The payload as if nothing were disclosed. */
  readonly undisclosed: JsonObject
  readonly disclosures: readonly Disclosure[]
  readonly containers: readonly Container[]
  readonly keyBinding?: string
  /** Over everything before the key binding (RFC 9901 §4.3.1). */
  readonly sdHash: string
}

export interface SdJwtRule {
  readonly typ: readonly (string | undefined)[]
  readonly algs?: readonly SignatureAlgorithm[]
  readonly maxBytes?: number
  readonly reason?: Reason
}

/** Processes and verifies under one of the keys: nothing of it may be used unless this resolves. */
export async function verifySdJwt(
  compact: unknown,
  keys: readonly VerificationKey[],
  rule: SdJwtRule,
): Promise<ProcessedSdJwt & { readonly jkt: Jkt; readonly alg: SignatureAlgorithm }> {
  const processed = processSdJwt(compact, rule)
  const key = await findSigner(processed.jws, keys)
  if (key === undefined) return refuse(rule.reason ?? 'sd_jwt_invalid', 'the SD-JWT is refused: it is not signed by a key that counts here')
  return { ...processed, jkt: key.jkt, alg: key.alg }
}

/**
 * The rules of RFC 9901 §7.1 except the signature. Refuses (`sd_jwt_invalid`) what breaks one; throws nothing else, whatever the text.
 *
 * @see [RFC 9901 §7.1](https://www.rfc-editor.org/rfc/rfc9901.html#section-7.1)
 */
export function processSdJwt(compact: unknown, rule: SdJwtRule): ProcessedSdJwt {
  const deny: Deny = (hint, pointer) =>
    refuse(rule.reason ?? 'sd_jwt_invalid', `the SD-JWT is refused: ${hint}`, pointer === undefined ? {} : { faults: [{ pointer, hint }] })
  const maxBytes = rule.maxBytes ?? MAX_SD_JWT_BYTES
  if (typeof compact !== 'string') return deny('it is not a text')
  if (compact.length > maxBytes) return deny(`it is longer than ${maxBytes} bytes`)
  const end = compact.lastIndexOf('~')
  // RFC 9901 §4: at least one tilde, also without disclosures.
  if (end < 0) return deny('it has no `~`')
  const [jwt = '', ...encoded] = compact.slice(0, end).split('~')
  const keyBinding = compact.slice(end + 1)
  if (encoded.length > MAX_DISCLOSURES) return deny(`more than ${MAX_DISCLOSURES} disclosures`)
  const jws = readJws(jwt, { maxBytes, algs: rule.algs ?? SIGNATURE_ALGORITHMS, typ: rule.typ })
  if (typeof jws === 'string') return deny(jws)
  const claims = readClaims(jws.payload)
  if (typeof claims === 'string') return deny(claims)
  // RFC 9901 §4.1.1: its absence means sha-256. Names are compared exactly.
  if (claims._sd_alg !== undefined && claims._sd_alg !== 'sha-256') return deny('`_sd_alg` is not `sha-256`')

  const walk: Walk = { deny, read: readDisclosures(encoded, deny), seen: new Set(), used: [], containers: [] }
  const { _sd_alg: _, ...signed } = claims
  const payload = walkObject(signed, '', undefined, 1, walk)
  if (walk.used.length < walk.read.size) return deny('a disclosure whose digest stands nowhere')
  return {
    header: jws.header,
    jws,
    payload: payload.shown,
    undisclosed: payload.plain,
    disclosures: walk.used,
    containers: walk.containers,
    ...(keyBinding === '' ? {} : { keyBinding }),
    sdHash: digestOfText(compact.slice(0, end + 1)),
  }
}

type Deny = (hint: string, pointer?: string) => never
type Read = Omit<Disclosure, 'pointer'>

interface Walk {
  readonly deny: Deny
  readonly read: ReadonlyMap<string, Read>
  /** Every digest met so far, disclosed or not. */
  readonly seen: Set<string>
  readonly used: Disclosure[]
  readonly containers: Container[]
}

/** A value twice: with what is disclosed, and without. */
interface Both<T> {
  readonly shown: T
  readonly plain: T
}

/** 22 characters of base64url are 128 bits (RFC 9901 §9.3). */
const MIN_SALT_LENGTH = 22
const RESERVED: ReadonlySet<string> = new Set(['_sd', '...', '_sd_alg', ''])

/** Names that nobody may disclose: reserved (RFC 9901 §4.2.1) or known to every object. */
export const isForbiddenName = (name: string): boolean => RESERVED.has(name) || UNSAFE_NAMES.has(name) || name in Object.prototype

function readDisclosures(encoded: readonly string[], deny: Deny): Map<string, Read> {
  const read = new Map<string, Read>()
  for (const one of encoded) {
    const disclosure = readDisclosure(one, deny)
    if (read.has(disclosure.digest)) deny('a disclosure that is sent twice')
    read.set(disclosure.digest, disclosure)
  }
  return read
}

function readDisclosure(encoded: string, deny: Deny): Read {
  const bytes = encoded === '' || encoded.length > MAX_DISCLOSURE_BYTES ? undefined : fromBase64url(encoded)
  if (bytes === undefined) return deny('a disclosure that is empty, too long or not canonical base64url')
  const json = readJson(bytes, { maxDepth: MAX_DEPTH })
  if ('fault' in json) return deny(`a disclosure: ${json.fault}`)
  if (!Array.isArray(json.value)) return deny('a disclosure that is not an array')
  const parts: readonly JsonValue[] = json.value
  const [salt, second, third] = parts
  if (typeof salt !== 'string' || salt.length < MIN_SALT_LENGTH) return deny('a disclosure whose salt has fewer than 128 bits')
  const digest = digestOfText(encoded)
  if (parts.length === 2 && second !== undefined) return { encoded, digest, salt, value: second }
  if (parts.length !== 3 || third === undefined) return deny('a disclosure of neither two nor three elements')
  if (typeof second !== 'string' || isForbiddenName(second)) return deny('a disclosure whose claim name is reserved or not a text')
  return { encoded, digest, salt, name: second, value: third }
}

function walkValue(value: JsonValue, pointer: string, within: string | undefined, depth: number, walk: Walk): Both<JsonValue> {
  if (Array.isArray(value)) return walkArray(value, pointer, within, depth, walk)
  if (isJsonObject(value)) return walkObject(value, pointer, within, depth, walk)
  return { shown: value, plain: value }
}

function walkObject(object: JsonObject, pointer: string, within: string | undefined, depth: number, walk: Walk): Both<JsonObject> {
  if (depth > MAX_DEPTH) walk.deny(`nested deeper than ${MAX_DEPTH}`)
  const shown: Record<string, JsonValue> = Object.create(null)
  const plain: Record<string, JsonValue> = Object.create(null)
  for (const [name, value] of Object.entries(object)) {
    if (name === '_sd') continue
    if (name === '...' || name === '_sd_alg') walk.deny(`the reserved name \`${name}\` where it may not stand`, pointer)
    const both = walkValue(value, `${pointer}/${pointerToken(name)}`, within, depth + 1, walk)
    shown[name] = both.shown
    plain[name] = both.plain
  }
  if (Object.hasOwn(object, '_sd')) discloseMembers(object._sd, shown, pointer, within, depth, walk)
  return { shown, plain }
}

function discloseMembers(
  digests: JsonValue | undefined,
  shown: Record<string, JsonValue>,
  pointer: string,
  within: string | undefined,
  depth: number,
  walk: Walk,
): void {
  if (!Array.isArray(digests)) walk.deny('`_sd` is not an array', pointer)
  const found = digests.map((digest) => lookUp(digest, pointer, walk)).filter((one) => one !== undefined)
  walk.containers.push({ pointer, kind: 'object', digests: digests.length, disclosed: found.length })
  for (const disclosure of found) {
    const { name, value } = disclosure
    if (name === undefined) walk.deny('an array element disclosed as a member', pointer)
    // RFC 9901 §7.1 step 3.c.ii: what is disclosed overwrites nothing.
    if (Object.hasOwn(shown, name)) walk.deny('a disclosure of a claim that stands there already', pointer)
    const place = `${pointer}/${pointerToken(name)}`
    use(disclosure, place, within, walk)
    shown[name] = walkValue(value, place, disclosure.digest, depth + 1, walk).shown
  }
}

function walkArray(
  array: readonly JsonValue[],
  pointer: string,
  within: string | undefined,
  depth: number,
  walk: Walk,
): Both<readonly JsonValue[]> {
  if (depth > MAX_DEPTH) walk.deny(`nested deeper than ${MAX_DEPTH}`)
  const shown: JsonValue[] = []
  const plain: JsonValue[] = []
  let digests = 0
  let disclosed = 0
  for (const [i, element] of array.entries()) {
    const place = `${pointer}/${i}`
    if (!isJsonObject(element) || !Object.hasOwn(element, '...')) {
      const both = walkValue(element, place, within, depth + 1, walk)
      shown.push(both.shown)
      plain.push(both.plain)
      continue
    }
    if (Object.keys(element).length !== 1) walk.deny('a placeholder with other members', place)
    digests++
    const disclosure = lookUp(element['...'], place, walk)
    if (disclosure === undefined) continue
    if (disclosure.name !== undefined) walk.deny('a member disclosed as an array element', place)
    disclosed++
    use(disclosure, place, within, walk)
    shown.push(walkValue(disclosure.value, place, disclosure.digest, depth + 1, walk).shown)
  }
  if (digests > 0) walk.containers.push({ pointer, kind: 'array', digests, disclosed })
  return { shown, plain }
}

/** The disclosure of a digest, each of which stands once in the whole of it, decoys included (RFC 9901 §7.1 step 4). */
function lookUp(digest: JsonValue | undefined, pointer: string, walk: Walk): Read | undefined {
  if (typeof digest !== 'string' || digest.length !== 43) return walk.deny('a digest that is not the base64url of 32 bytes', pointer)
  if (walk.seen.has(digest)) return walk.deny('a digest that stands twice', pointer)
  if (walk.seen.size >= MAX_DIGESTS) return walk.deny(`more than ${MAX_DIGESTS} digests`, pointer)
  walk.seen.add(digest)
  return walk.read.get(digest)
}

const use = (disclosure: Read, pointer: string, within: string | undefined, walk: Walk): void => {
  walk.used.push({ ...disclosure, pointer, ...(within === undefined ? {} : { within }) })
}
