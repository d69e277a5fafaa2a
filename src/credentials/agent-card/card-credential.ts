// The profile of SD-JWT that cards use, above the generic verifier: its claims, the parts that may be disclosures, and its public card.
// The public card is exactly the SD-JWT without disclosures, and `card_sha256` is its digest.
import { z } from 'zod'
import { type Fault, refuse } from '../../errors.js'
import type { SignatureAlgorithm } from '../../lib/algorithms.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.js'
import { isWithin, pointerOf, pointerToken } from '../../lib/json-pointer.js'
import type { Random } from '../../lib/random.js'
import { MAX_AHEAD_SECONDS } from '../../protocol/claims.js'
import { AgentId, type Jkt } from '../../protocol/ids.js'
import { canonical } from '../jose/canonical-json.js'
import { digestOfJson } from '../jose/digest.js'
import { thumbprint, type VerificationKey } from '../jose/jwk.js'
import { timeFault } from '../jose/jwt.js'
import type { Signer } from '../jose/sign.js'
import { issueSdJwt, paddedCount } from '../sd-jwt/issue.js'
import { type KeyBindingExpectation, verifyKeyBinding } from '../sd-jwt/key-binding.js'
import { type Container, type Disclosure, type ProcessedSdJwt, verifySdJwt } from '../sd-jwt/verify.js'
import { withoutSignatures } from './canonical-card.js'

export const CARD_TYP = 'dc+sd-jwt'
const MAX_CARD_SECONDS = 90 * 86_400

/** `vct` of the cards of a registry. */
export const cardType = (issuer: string): string => `${issuer}/vct/a2a-agent-card/1`

/** Digest of the public card without `signatures`: the claim `card_sha256`. */
export const cardDigest = (publicCard: JsonObject): string => digestOfJson(withoutSignatures(publicCard))

const Text = z.string().min(1).max(512)
const NumericDate = z.int().min(0)
const Card = z.custom<JsonObject>(isJsonObject)

/** Claims of a card's SD-JWT. Each claim is in the payload itself; only parts of `agent_card` may be disclosures. */
export const CardCredentialClaims = z.strictObject({
  iss: Text,
  sub: Text,
  iat: NumericDate,
  nbf: NumericDate.optional(),
  exp: NumericDate,
  vct: Text,
  cnf: z.strictObject({ jwk: z.record(z.string(), z.unknown()) }).optional(),
  card_id: AgentId,
  card_version: z.int().min(1),
  card_sha256: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  agent_card: Card,
})
export type CardCredentialClaims = z.infer<typeof CardCredentialClaims>

interface CardDisclosure extends Omit<Disclosure, 'pointer'> {
  /** Position in the signed `agent_card`, as release policies name it. */
  readonly pointer: string
}

export interface CardCredential {
  readonly claims: Omit<CardCredentialClaims, 'agent_card'>
  /** The card with the disclosures of this presentation. */
  readonly card: JsonObject
  readonly disclosures: readonly CardDisclosure[]
  /** The containers of the card that have digests, with their pointers in the card. */
  readonly containers: readonly Container[]
  readonly jkt: Jkt
  readonly alg: SignatureAlgorithm
  readonly kid?: string
  readonly sdHash: string
}

interface CardExpectation {
  readonly now: number
  /** The accepted values of `iss`; the first one is named in errors. */
  readonly issuers?: readonly string[]
  readonly subject?: string
  readonly vct?: string
  readonly cardId?: string
  /**
   * If present, a key binding is required; if absent, a key binding is refused. The verifier decides this, not the presentation (RFC 9901
   * §9.5).
   */
  readonly keyBinding?: KeyBindingExpectation
}

/** Parts of a card that are never disclosures and contain none. */
const ALWAYS_PUBLIC = ['/name', '/description', '/version', '/capabilities'] as const
/** Lists with at least one public element. */
const NEVER_EMPTY = ['/skills', '/supportedInterfaces'] as const

/**
 * Verifies a card's SD-JWT together with its public card, under the keys of its publisher. Throws only Refusals, for any input.
 */
export async function verifyCardCredential(
  compact: unknown,
  publicCard: JsonObject,
  keys: readonly VerificationKey[],
  expected: CardExpectation,
): Promise<CardCredential> {
  const verified = await verifySdJwt(compact, keys, { typ: [CARD_TYP] })
  const claims = claimsOf(verified.payload)
  const faults = [
    ...expectationFaults(claims, expected),
    ...timeFaults(claims, expected.now),
    ...disclosureFaults(verified),
    ...publicCardFaults(verified.undisclosed, claims, publicCard),
    ...(verified.keyBinding === undefined || expected.keyBinding
      ? []
      : [{ pointer: '', hint: 'it has a key binding, which is not accepted here' }]),
  ]
  const [first] = faults
  if (first !== undefined) refuse('sd_jwt_invalid', `invalid SD-JWT of a card: ${first.pointer || 'the SD-JWT'}: ${first.hint}`, { faults })
  if (expected.keyBinding !== undefined) await requireKeyBinding(verified, claims, expected.keyBinding)
  const { agent_card: card, ...rest } = claims
  return {
    claims: rest,
    card,
    disclosures: verified.disclosures.map((disclosure) => ({ ...disclosure, pointer: disclosure.pointer.slice(AGENT_CARD.length) })),
    containers: verified.containers.map((container) => ({ ...container, pointer: container.pointer.slice(AGENT_CARD.length) })),
    jkt: verified.jkt,
    alg: verified.alg,
    sdHash: verified.sdHash,
    ...(verified.header.kid === undefined ? {} : { kid: verified.header.kid }),
  }
}

/** JSON Pointer of the card in the claims of its SD-JWT. */
export const AGENT_CARD = '/agent_card'

function claimsOf(payload: JsonObject): CardCredentialClaims {
  const parsed = CardCredentialClaims.safeParse(payload)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.slice(0, 16).map(({ path, message }) => ({ pointer: pointerOf(path.map(String)), hint: message }))
  return refuse('sd_jwt_invalid', `invalid SD-JWT of a card: the claim ${faults[0]?.pointer} is missing or invalid`, { faults })
}

function expectationFaults(claims: CardCredentialClaims, expected: CardExpectation): Fault[] {
  const pairs = [
    ['/iss', claims.iss, expected.issuers],
    ['/sub', claims.sub, expected.subject && [expected.subject]],
    ['/vct', claims.vct, expected.vct && [expected.vct]],
    ['/card_id', claims.card_id, expected.cardId && [expected.cardId]],
  ] as const
  return pairs.flatMap(([pointer, claim, accepted]) =>
    accepted && !accepted.includes(claim) ? [{ pointer, hint: `it is not ${accepted[0]}` }] : [],
  )
}

function timeFaults({ iat, nbf, exp }: CardCredentialClaims, now: number): Fault[] {
  const fault = exp - Math.min(iat, nbf ?? iat) > MAX_CARD_SECONDS ? TOO_LONG : timeFault({ iat, nbf, exp }, now)
  if (fault !== undefined) return [{ pointer: '/exp', hint: fault }]
  return exp > now + MAX_CARD_SECONDS + MAX_AHEAD_SECONDS ? [{ pointer: '/exp', hint: TOO_LONG }] : []
}

const TOO_LONG = 'its lifetime is longer than 90 days'

/** Disclosures must be parts of `agent_card` and outside ALWAYS_PUBLIC, and each container must be padded. */
function disclosureFaults({ containers, disclosures, undisclosed }: ProcessedSdJwt): Fault[] {
  const card = undisclosed.agent_card
  const missing = [...ALWAYS_PUBLIC, ...NEVER_EMPTY].filter((pointer) => !isPresent(card, pointer.slice(1)))
  const salts = new Set(disclosures.map(({ salt }) => salt))
  return [
    ...containers
      .filter(({ pointer }) => !isWithin(AGENT_CARD, pointer) || ALWAYS_PUBLIC.some((part) => isWithin(AGENT_CARD + part, pointer)))
      .map(({ pointer }) => ({ pointer, hint: 'no part of it may be a disclosure' })),
    ...containers
      .filter((container) => !isPadded(container))
      .map(({ pointer }) => ({
        pointer,
        hint: 'the number of digests is not a power of two that is at least 16 and greater than the number of disclosures',
      })),
    ...missing.map((pointer) => ({ pointer: AGENT_CARD + pointer, hint: 'it is missing from the public card' })),
    ...(salts.size < disclosures.length ? [{ pointer: AGENT_CARD, hint: 'two disclosures have the same salt' }] : []),
  ]
}

function isPresent(card: JsonValue | undefined, name: string): boolean {
  const value = isJsonObject(card) && Object.hasOwn(card, name) ? card[name] : undefined
  return Array.isArray(value) ? value.length > 0 : value !== undefined
}

const isPadded = ({ digestCount, disclosedCount }: Container): boolean =>
  digestCount >= paddedCount(disclosedCount) && (digestCount & (digestCount - 1)) === 0

function publicCardFaults(undisclosed: JsonObject, claims: CardCredentialClaims, publicCard: JsonObject): Fault[] {
  if (claims.card_sha256 !== cardDigest(publicCard)) return [{ pointer: '/card_sha256', hint: 'it is not the digest of the public card' }]
  const isSame = canonical(undisclosed.agent_card) === canonical(withoutSignatures(publicCard))
  return isSame ? [] : [{ pointer: AGENT_CARD, hint: 'without disclosures it differs from the public card' }]
}

async function requireKeyBinding(verified: ProcessedSdJwt, { cnf }: CardCredentialClaims, expected: KeyBindingExpectation): Promise<void> {
  if (verified.keyBinding === undefined || cnf === undefined)
    refuse('key_binding_required', 'invalid presentation: it has no key binding, or the card names no key of its agent')
  await verifyKeyBinding(verified.keyBinding, { jwk: cnf?.jwk ?? {} }, verified.sdHash, expected)
}

interface CardCredentialInput {
  readonly iss: string
  readonly sub: string
  readonly iat: number
  readonly exp: number
  readonly vct: string
  readonly cardId: AgentId
  readonly cardVersion: number
  /** Public key with which the agent presents its card (`cnf`). */
  readonly holder?: Readonly<Record<string, unknown>>
  /** The complete card. Its `signatures` are ignored. */
  readonly card: JsonObject
  /** JSON Pointers into the card of the parts that become disclosures. */
  readonly nonPublic: readonly string[]
  /** Called with the pointer and the digest of each non-public part. */
  readonly onDisclosure?: (pointer: string, digest: string) => void
}

/** Signs a card as an SD-JWT with all its disclosures. Use `publicCardOf` to make the public card that belongs to it. */
export function issueCardCredential(
  input: CardCredentialInput,
  deps: { readonly signer: Signer; readonly random: Pick<Random, 'bytes' | 'token'> },
): Promise<string> {
  const card = withoutSignatures(input.card)
  for (const pointer of input.nonPublic) {
    if (ALWAYS_PUBLIC.some((part) => isWithin(part, pointer)) || NEVER_EMPTY.some((part) => part === pointer)) {
      refuse('sd_jwt_invalid', `${pointer} must be public`, {
        faults: [{ pointer, hint: 'name, description, version, capabilities and the lists of skills and interfaces are always public' }],
      })
    }
  }
  const alwaysPadded = ['', ...NEVER_EMPTY].filter((pointer) => pointer === '' || Array.isArray(card[pointer.slice(1)]))
  const claims = {
    iss: input.iss,
    sub: input.sub,
    iat: input.iat,
    exp: input.exp,
    vct: input.vct,
    ...(input.holder === undefined ? {} : { cnf: { jwk: input.holder as JsonObject } }), // a JWK is JSON
    card_id: input.cardId,
    card_version: input.cardVersion,
    card_sha256: cardDigest(publicCardOf(card, input.nonPublic)),
    agent_card: card,
  }
  const inClaims = (pointer: string): string => AGENT_CARD + pointer
  return issueSdJwt(
    { typ: CARD_TYP, kid: thumbprint(deps.signer.publicJwk) },
    {
      claims,
      disclosable: input.nonPublic.map(inClaims),
      alwaysPadded: alwaysPadded.map(inClaims),
      onDisclosure: (pointer, digest) => input.onDisclosure?.(pointer.slice(AGENT_CARD.length), digest),
    },
    deps,
  )
}

/** The card without `signatures` and without its non-public parts. */
export function publicCardOf(card: JsonObject, nonPublic: readonly string[]): JsonObject {
  const publicCard = withoutParts(withoutSignatures(card), '', new Set(nonPublic))
  return isJsonObject(publicCard) ? publicCard : {}
}

function withoutParts(value: JsonValue, pointer: string, removed: ReadonlySet<string>): JsonValue {
  if (Array.isArray(value)) {
    const items: readonly JsonValue[] = value
    return items.flatMap((item, i) => (removed.has(`${pointer}/${i}`) ? [] : [withoutParts(item, `${pointer}/${i}`, removed)]))
  }
  if (!isJsonObject(value)) return value
  const members = Object.entries(value)
    .map(([name, member]) => ({ name, member, memberPointer: `${pointer}/${pointerToken(name)}` }))
    .filter(({ memberPointer }) => !removed.has(memberPointer))
  return Object.fromEntries(members.map(({ name, member, memberPointer }) => [name, withoutParts(member, memberPointer, removed)]))
}
