// Issues SD-JWTs (RFC 9901 §6.1) with @sd-jwt/core behind a wrapper, and writes presentations of them.
//
// The claims are packed from the innermost container outwards, one pack() call per object or array, so a frame has one level and a member
// name can never be taken for a path. The library does not make the decoys, because pack() confuses its `_sd_decoy` option with a member of
// that name, and puts an array's decoys behind the real elements. The wrapper adds them instead: it fills each container with selectively
// disclosable parts up to a number of digests that is a power of two, at least 16, and greater than the number of its real digests. The digests
// of an object are sorted; the placeholders of an array are shuffled and follow its plain elements. So neither the number nor the position of a
// digest tells whether it is real.
//
// Cost: linear in the claims, one SHA-256 per disclosure and per decoy. Limits: MAX_DISCLOSURES; reserved names are refused.

import { createDecoy, Jwt, pack, SDJwt } from '@sd-jwt/core'
import { Disclosure } from '@sd-jwt/utils'
import { sha256 } from '#crypto'
import { refuse } from '../../errors.js'
import { base64url } from '../../lib/bytes.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.js'
import { pathOf, pointerToken } from '../../lib/json-pointer.js'
import type { Random } from '../../lib/random.js'
import { type JwtHeader, type Signer, signJwt } from '../jose/sign.js'
import { isForbiddenName, MAX_DISCLOSURES, processSdJwt } from './verify.js'

interface SdJwtInput {
  readonly claims: JsonObject
  /** JSON Pointers into `claims`: each part becomes a disclosure. A part may contain other parts. */
  readonly disclosable: readonly string[]
  /** JSON Pointers of objects and arrays that get decoys even if none of their parts is disclosable. */
  readonly alwaysPadded?: readonly string[]
  /** Called with the pointer and the digest of each disclosure. The digest identifies the part in the signed payload. */
  readonly onDisclosure?: (pointer: string, digest: string) => void
}

/** Signs an SD-JWT and appends all its disclosures. Refuses pointers that name nothing and reserved claim names (`sd_jwt_invalid`). */
export async function issueSdJwt(
  header: JwtHeader,
  input: SdJwtInput,
  deps: { readonly signer: Signer; readonly random: Pick<Random, 'bytes' | 'token'> },
): Promise<string> {
  requireIssuable(input)
  const packing: Packing = {
    disclosable: new Set(input.disclosable),
    alwaysPadded: new Set(input.alwaysPadded ?? []),
    disclosures: [],
    random: deps.random,
    onDisclosure: input.onDisclosure ?? (() => {}),
  }
  const claims = await packObject(input.claims, '', packing)
  const jwt = await signJwt(header, { ...claims, _sd_alg: 'sha-256' }, deps.signer)
  return [jwt, ...shuffled(packing.disclosures, deps.random), ''].join('~')
}

/** Number of digests in a container with `real` selectively disclosable parts. */
export function paddedCount(real: number): number {
  let count = 16
  while (count <= real) count *= 2
  return count
}

interface Packing {
  readonly disclosable: ReadonlySet<string>
  readonly alwaysPadded: ReadonlySet<string>
  readonly disclosures: string[]
  readonly random: Pick<Random, 'bytes' | 'token'>
  readonly onDisclosure: (pointer: string, digest: string) => void
}

function requireIssuable({ claims, disclosable, alwaysPadded = [] }: SdJwtInput): void {
  const deny = (pointer: string, hint: string): never =>
    refuse('sd_jwt_invalid', `cannot issue the SD-JWT: ${hint}`, { faults: [{ pointer, hint }] })
  if (disclosable.length > MAX_DISCLOSURES) deny('', `it has more than ${MAX_DISCLOSURES} disclosures`)
  if (new Set(disclosable).size !== disclosable.length) deny('', 'a pointer is listed twice')
  for (const pointer of disclosable)
    if (pointer === '' || valueAt(claims, pointer) === undefined)
      deny(pointer, `${pointer || 'the empty pointer'} names no part that can be disclosed selectively`)
  for (const pointer of alwaysPadded) if (typeof valueAt(claims, pointer) !== 'object') deny(pointer, `${pointer} names no object or array`)
  forEachName(claims, '', (name, pointer) => {
    if (isForbiddenName(name)) deny(pointer, `the claim name ${JSON.stringify(name)} is reserved`)
  })
}

function valueAt(claims: JsonValue, pointer: string): JsonValue | undefined {
  let value: JsonValue | undefined = claims
  for (const token of pathOf(pointer) ?? [' ']) {
    if (Array.isArray(value)) value = /^(0|[1-9]\d*)$/.test(token) ? value[Number(token)] : undefined
    else value = isJsonObject(value) && Object.hasOwn(value, token) ? value[token] : undefined
  }
  return value
}

function forEachName(value: JsonValue, pointer: string, visit: (name: string, pointer: string) => void): void {
  if (Array.isArray(value)) {
    value.forEach((element, i) => {
      forEachName(element, `${pointer}/${i}`, visit)
    })
  } else if (isJsonObject(value)) {
    for (const [name, member] of Object.entries(value)) {
      visit(name, pointer)
      forEachName(member, `${pointer}/${pointerToken(name)}`, visit)
    }
  }
}

async function packValue(value: JsonValue, pointer: string, packing: Packing): Promise<unknown> {
  if (Array.isArray(value)) return packArray(value, pointer, packing)
  return isJsonObject(value) ? packObject(value, pointer, packing) : value
}

async function packObject(object: JsonObject, pointer: string, packing: Packing): Promise<Record<string, unknown>> {
  const claims: Record<string, unknown> = {}
  const pointerTo = (name: string): string => `${pointer}/${pointerToken(name)}`
  for (const [name, value] of Object.entries(object)) claims[name] = await packValue(value, pointerTo(name), packing)
  const names = Object.keys(claims).filter((name) => packing.disclosable.has(pointerTo(name)))
  if (names.length === 0 && !packing.alwaysPadded.has(pointer)) return claims
  // The library types a frame by member names that the compiler knows; these are known at run time only.
  const frame = { _sd: names } as unknown as Parameters<typeof pack>[1]
  const { packedClaims, disclosures } = await pack(claims, frame, HASH, saltsOf(packing))
  const digests = disclosures.map((disclosure) => addDisclosure(disclosure, pointerTo(disclosure.key ?? ''), packing))
  return { ...packedClaims, _sd: [...digests, ...(await decoysFor(digests, packing))].sort() }
}

async function packArray(array: readonly JsonValue[], pointer: string, packing: Packing): Promise<unknown[]> {
  const elements: unknown[] = []
  for (const [i, value] of array.entries()) elements.push(await packValue(value, `${pointer}/${i}`, packing))
  const indexes = [...elements.keys()].filter((i) => packing.disclosable.has(`${pointer}/${i}`))
  if (indexes.length === 0 && !packing.alwaysPadded.has(pointer)) return elements
  const { disclosures } = await pack({ elements }, { elements: { _sd: indexes } }, HASH, saltsOf(packing))
  // pack() returns the disclosures in the order of the elements.
  const digests = disclosures.map((disclosure, n) => addDisclosure(disclosure, `${pointer}/${indexes[n]}`, packing))
  const placeholders = [...digests, ...(await decoysFor(digests, packing))].map((digest) => ({ '...': digest }))
  // The plain elements come first and keep their order, so without disclosures the array is the public list.
  return [...elements.filter((_, i) => !indexes.includes(i)), ...shuffled(placeholders, packing.random)]
}

type CoreHash = Parameters<typeof pack>[2]
const HASH: CoreHash = {
  alg: 'sha-256',
  hasher: (data) => sha256(typeof data === 'string' ? data : new Uint8Array(data)),
}

const saltsOf =
  ({ random }: Packing) =>
  (bytes: number): string =>
    random.token(bytes)

/** Adds the disclosure to the SD-JWT and returns its digest, which pack() has computed. */
function addDisclosure(disclosure: Disclosure, pointer: string, packing: Packing): string {
  const { _digest: digest } = disclosure
  if (digest === undefined) throw new Error('pack() returned a disclosure without its digest')
  packing.disclosures.push(disclosure.encode())
  packing.onDisclosure(pointer, digest)
  return digest
}

/** RFC 9901 §4.2.5: a decoy is the digest of a random value that is discarded. */
const decoysFor = ({ length }: readonly string[], packing: Packing): Promise<string[]> =>
  Promise.all(Array.from({ length: paddedCount(length) - length }, () => createDecoy(HASH, saltsOf(packing))))

function shuffled<T>(list: readonly T[], random: Pick<Random, 'bytes'>): T[] {
  const keyed = list.map((item) => ({ item, key: base64url(random.bytes(16)) }))
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ item }) => item)
}

/** `typ` of SD-JWTs in general: SD-JWT VC in both spellings, the examples of RFC 9901, and none. */
const ANY_TYP = ['dc+sd-jwt', 'vc+sd-jwt', 'example+sd-jwt', undefined] as const

/**
 * Returns the SD-JWT with only those disclosures whose pointer is in `selection`, or for which `selection` returns true. A disclosure inside a
 * withheld one is withheld too. A key binding is removed, because it covers the earlier set of disclosures.
 *
 * The wrapper selects the disclosures by JSON Pointer and the library writes the presentation. A presentation frame of the library is not
 * used: its paths join names with dots, so a member `a.b` and a member `b` of `a` have the same path, and a frame may disclose both.
 */
export function presentSdJwt(
  compact: string,
  selection: readonly string[] | ((pointer: string) => boolean),
  typ: readonly (string | undefined)[] = ANY_TYP,
): string {
  const { disclosures } = processSdJwt(compact, { typ })
  const isSelected = typeof selection === 'function' ? selection : (pointer: string) => selection.includes(pointer)
  const selected = new Map<string, Disclosure>()
  for (const { digest, encoded, salt, name, value, pointer, parentDigest } of disclosures) {
    // The list names an outer disclosure before those inside it.
    if (!isSelected(pointer) || (parentDigest !== undefined && !selected.has(parentDigest))) continue
    selected.set(digest, Disclosure.fromArray<unknown>(name === undefined ? [salt, value] : [salt, name, value], { digest, encoded }))
  }
  const sorted = [...selected.values()].sort((a, b) => (a.encode() < b.encode() ? -1 : 1))
  return new SDJwt({ jwt: new Jwt({ encoded: compact.slice(0, compact.indexOf('~')) }), disclosures: sorted }).encodeSDJwt()
}
