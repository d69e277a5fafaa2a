// Issuing: each hideable container is shuffled and padded with decoys to a power of two, at least 16 and more than what is really hidden,
// so that neither the number nor the place of digests tells what there is.
import { refuse } from '../../errors.js'
import { base64url, utf8 } from '../../lib/bytes.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.js'
import { pathOf, pointerToken } from '../../lib/json-pointer.js'
import type { Random } from '../../lib/random.js'
import { digestOfText } from '../jose/digest.js'
import { type JwtHeader, type Signer, signJwt } from '../jose/sign.js'
import { isForbiddenName, MAX_DISCLOSURES, processSdJwt } from './verify.js'

export interface SdJwtOrder {
  readonly claims: JsonObject
  /** JSON Pointers into `claims` of what becomes a disclosure; one may stand inside another. */
  readonly hide: readonly string[]
  /** Pointers of objects and arrays that are padded even where nothing in them is hidden. */
  readonly hideable?: readonly string[]
  /** Told the digest under which each hidden part stands: its place in the signed payload is known by it. */
  readonly onDisclosure?: (pointer: string, digest: string) => void
}

/** An SD-JWT with all its disclosures. Refuses pointers that name nothing, or what is above a pointer that must stay plain. */
export async function issueSdJwt(
  header: JwtHeader,
  order: SdJwtOrder,
  deps: { readonly signer: Signer; readonly random: Pick<Random, 'bytes' | 'token'> },
): Promise<string> {
  checkOrder(order)
  const work: Work = {
    hide: new Set(order.hide),
    hideable: new Set(order.hideable ?? []),
    disclosures: [],
    random: deps.random,
    onDisclosure: order.onDisclosure ?? (() => {}),
  }
  const claims = conceal(order.claims, '', work)
  const jwt = await signJwt(header, { ...(claims as object), _sd_alg: 'sha-256' }, deps.signer)
  return [jwt, ...shuffled(work.disclosures, deps.random), ''].join('~')
}

/** How many digests a container of `real` hidden parts shows. */
export function paddedCount(real: number): number {
  let count = 16
  while (count <= real) count *= 2
  return count
}

interface Work {
  readonly hide: ReadonlySet<string>
  readonly hideable: ReadonlySet<string>
  readonly disclosures: string[]
  readonly random: Pick<Random, 'bytes' | 'token'>
  readonly onDisclosure: (pointer: string, digest: string) => void
}

function checkOrder({ claims, hide, hideable = [] }: SdJwtOrder): void {
  const deny = (pointer: string, hint: string): never =>
    refuse('sd_jwt_invalid', `the SD-JWT cannot be issued: ${hint}`, { faults: [{ pointer, hint }] })
  if (hide.length > MAX_DISCLOSURES) deny('', `more than ${MAX_DISCLOSURES} disclosures`)
  if (new Set(hide).size !== hide.length) deny('', 'a pointer stands twice')
  for (const pointer of hide)
    if (pointer === '' || find(claims, pointer) === undefined)
      deny(pointer, `${pointer || 'the empty pointer'} names nothing that can be hidden`)
  for (const pointer of hideable) if (typeof find(claims, pointer) !== 'object') deny(pointer, 'the pointer names no object or array')
  forEachName(claims, '', (name, pointer) => {
    if (isForbiddenName(name)) deny(pointer, 'the name is reserved')
  })
}

function find(value: JsonValue, pointer: string): JsonValue | undefined {
  let at: JsonValue | undefined = value
  for (const token of pathOf(pointer) ?? [' ']) {
    if (Array.isArray(at)) at = /^(0|[1-9]\d*)$/.test(token) ? at[Number(token)] : undefined
    else at = isJsonObject(at) && Object.hasOwn(at, token) ? at[token] : undefined
  }
  return at
}

function forEachName(value: JsonValue, pointer: string, visit: (name: string, pointer: string) => void): void {
  if (Array.isArray(value)) {
    value.forEach((one, i) => {
      forEachName(one, `${pointer}/${i}`, visit)
    })
  } else if (isJsonObject(value)) {
    for (const [name, one] of Object.entries(value)) {
      visit(name, pointer)
      forEachName(one, `${pointer}/${pointerToken(name)}`, visit)
    }
  }
}

function conceal(value: JsonValue, pointer: string, work: Work): JsonValue {
  if (Array.isArray(value)) return concealArray(value, pointer, work)
  return isJsonObject(value) ? concealObject(value, pointer, work) : value
}

function concealObject(object: JsonObject, pointer: string, work: Work): JsonObject {
  const plain: Record<string, JsonValue> = {}
  const digests: string[] = []
  for (const [name, value] of Object.entries(object)) {
    const place = `${pointer}/${pointerToken(name)}`
    const inner = conceal(value, place, work)
    if (work.hide.has(place)) digests.push(disclose([name, inner], place, work))
    else plain[name] = inner
  }
  return digests.length === 0 && !work.hideable.has(pointer) ? plain : { ...plain, _sd: padded(digests, work) }
}

function concealArray(array: readonly JsonValue[], pointer: string, work: Work): JsonValue {
  const plain: JsonValue[] = []
  const digests: string[] = []
  for (const [i, value] of array.entries()) {
    const place = `${pointer}/${i}`
    const inner = conceal(value, place, work)
    if (work.hide.has(place)) digests.push(disclose([inner], place, work))
    else plain.push(inner)
  }
  if (digests.length === 0 && !work.hideable.has(pointer)) return plain
  // Plain elements keep their order and come first: with nothing disclosed it is the public list, and what is first stays first
  return [...plain, ...padded(digests, work).map((digest) => ({ '...': digest }))]
}

function disclose(rest: readonly JsonValue[], pointer: string, work: Work): string {
  const encoded = base64url(utf8(JSON.stringify([work.random.token(16), ...rest])))
  work.disclosures.push(encoded)
  const digest = digestOfText(encoded)
  work.onDisclosure(pointer, digest)
  return digest
}

/** RFC 9901 §4.2.5: a decoy is the digest of a random value that nobody keeps. */
function padded(digests: readonly string[], work: Work): string[] {
  const decoys = Array.from({ length: paddedCount(digests.length) - digests.length }, () => digestOfText(work.random.token(32)))
  return shuffled([...digests, ...decoys], work.random)
}

function shuffled<T>(list: readonly T[], random: Pick<Random, 'bytes'>): T[] {
  const keyed = list.map((item) => ({ item, key: base64url(random.bytes(16)) }))
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ item }) => item)
}

/**
 * The same SD-JWT with the disclosures that `keep` names and no others. One that stands inside a withheld one is withheld with it.
 * A key binding is taken off: it was for the earlier set.
 */
export function presentSdJwt(
  compact: string,
  keep: readonly string[] | ((pointer: string) => boolean),
  typ: readonly (string | undefined)[] = ANY_SD_JWT,
): string {
  const { disclosures } = processSdJwt(compact, { typ })
  const wanted = typeof keep === 'function' ? keep : (pointer: string) => keep.includes(pointer)
  const kept = new Set<string>()
  for (const { digest, pointer, within } of disclosures) {
    // What something stands in comes before it in this list.
    if (wanted(pointer) && (within === undefined || kept.has(within))) kept.add(digest)
  }
  const shown = disclosures.filter(({ digest }) => kept.has(digest)).map(({ encoded }) => encoded)
  return [compact.slice(0, compact.indexOf('~')), ...shown.sort(), ''].join('~')
}

export const ANY_SD_JWT = ['dc+sd-jwt', 'vc+sd-jwt', 'example+sd-jwt', undefined] as const
