// The card's own profile above the SD-JWT core: which claims, which may be hidden, how it is tied to the public card C0.
import { z } from 'zod'
import { type Fault, refuse } from '../../errors.js'
import type { SignatureAlgorithm } from '../../lib/algorithms.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.js'
import { isWithin, pointerOf, pointerToken } from '../../lib/json-pointer.js'
import type { Random } from '../../lib/random.js'
import { SKEW_SECONDS } from '../../protocol/claims.js'
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
export const MAX_CARD_SECONDS = 90 * 86_400

/** `vct` of every card of a registry. */
export const cardType = (issuer: string): string => `${issuer}/vct/a2a-agent-card/1`

/** What ties the SD-JWT to C0: digest of the public card without `signatures`. */
export const cardDigest = (c0: JsonObject): string => digestOfJson(withoutSignatures(c0))

const Text = z.string().min(1).max(512)
const NumericDate = z.int().min(0)
const Card = z.custom<JsonObject>(isJsonObject)

/** Claims of a card's SD-JWT. None of them may be disclosed: they stand in the payload itself. */
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

export interface CardDisclosure extends Omit<Disclosure, 'pointer'> {
  /** In the signed `agent_card`: what a release policy names. */
  readonly pointer: string
}

export interface CardCredential {
  readonly claims: Omit<CardCredentialClaims, 'agent_card'>
  /** With everything that this presentation discloses. */
  readonly card: JsonObject
  readonly disclosures: readonly CardDisclosure[]
  readonly jkt: Jkt
  readonly alg: SignatureAlgorithm
  readonly kid?: string
  readonly sdHash: string
}

export interface CardExpectation {
  readonly now: number
  readonly issuer?: string
  readonly subject?: string
  readonly vct?: string
  readonly cardId?: string
  /** Required by the verifier's own rule, never by whether one was sent (RFC 9901 §9.5); where it is not, none may stand there. */
  readonly keyBinding?: KeyBindingExpectation
}

const PLAIN = ['/name', '/description', '/version', '/capabilities'] as const
const NEVER_EMPTY = ['/skills', '/supportedInterfaces'] as const

/**
 * A card's SD-JWT and its C0 as one thing that a publisher's key has signed: C0 is exactly the SD-JWT with nothing disclosed.
 * Throws nothing but a Refusal, whatever the text.
 */
export async function verifyCardCredential(
  compact: unknown,
  c0: JsonObject,
  keys: readonly VerificationKey[],
  expected: CardExpectation,
): Promise<CardCredential> {
  const verified = await verifySdJwt(compact, keys, { typ: [CARD_TYP] })
  const claims = claimsOf(verified.payload)
  const faults = [
    ...expectationFaults(claims, expected),
    ...timeFaults(claims, expected.now),
    ...hidingFaults(verified),
    ...tieFaults(verified.undisclosed, claims, c0),
    ...(verified.keyBinding === undefined || expected.keyBinding ? [] : [{ pointer: '', hint: 'it does not end with a tilde' }]),
  ]
  const [first] = faults
  if (first !== undefined) refuse('sd_jwt_invalid', `the card's SD-JWT is refused: ${first.hint}`, { faults })
  if (expected.keyBinding !== undefined) await requireKeyBinding(verified, claims, expected.keyBinding)
  const { agent_card: card, ...rest } = claims
  return {
    claims: rest,
    card,
    disclosures: verified.disclosures.map((one) => ({ ...one, pointer: one.pointer.slice(AGENT_CARD.length) })),
    jkt: verified.jkt,
    alg: verified.alg,
    sdHash: verified.sdHash,
    ...(verified.header.kid === undefined ? {} : { kid: verified.header.kid }),
  }
}

/** Where the card stands in the claims of its SD-JWT. */
export const AGENT_CARD = '/agent_card'

function claimsOf(payload: JsonObject): CardCredentialClaims {
  const parsed = CardCredentialClaims.safeParse(payload)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.slice(0, 16).map(({ path, message }) => ({ pointer: pointerOf(path.map(String)), hint: message }))
  return refuse('sd_jwt_invalid', "the card's SD-JWT is refused: its claims are not those of a card", { faults })
}

function expectationFaults(claims: CardCredentialClaims, expected: CardExpectation): Fault[] {
  const pairs = [
    ['/iss', claims.iss, expected.issuer],
    ['/sub', claims.sub, expected.subject],
    ['/vct', claims.vct, expected.vct],
    ['/card_id', claims.card_id, expected.cardId],
  ] as const
  return pairs
    .filter(([, is, shall]) => shall !== undefined && is !== shall)
    .map(([pointer]) => ({ pointer, hint: 'it is not what this card must say' }))
}

function timeFaults({ iat, nbf, exp }: CardCredentialClaims, now: number): Fault[] {
  const fault = exp - Math.min(iat, nbf ?? iat) > MAX_CARD_SECONDS ? 'it lives longer than 90 days' : timeFault({ iat, nbf, exp }, now)
  if (fault !== undefined) return [{ pointer: '/exp', hint: fault }]
  return exp > now + MAX_CARD_SECONDS + SKEW_SECONDS ? [{ pointer: '/exp', hint: 'it lives longer than 90 days' }] : []
}

/** Only inside `agent_card` may anything be hidden; some of it never; and every container is padded. */
function hidingFaults({ containers, disclosures, undisclosed }: ProcessedSdJwt): Fault[] {
  const card = undisclosed.agent_card
  const missing = [...PLAIN, ...NEVER_EMPTY].filter((pointer) => !isThere(card, pointer.slice(1)))
  const salts = new Set(disclosures.map(({ salt }) => salt))
  return [
    ...containers
      .filter(({ pointer }) => !isWithin(AGENT_CARD, pointer) || PLAIN.some((plain) => isWithin(AGENT_CARD + plain, pointer)))
      .map(({ pointer }) => ({ pointer, hint: 'nothing may be hidden here' })),
    ...containers
      .filter((one) => !isPadded(one))
      .map(({ pointer }) => ({ pointer, hint: 'its digests are not padded to a power of two, at least 16, more than what is hidden' })),
    ...missing.map((pointer) => ({ pointer: AGENT_CARD + pointer, hint: 'it must stand in the card in plain' })),
    ...(salts.size < disclosures.length ? [{ pointer: AGENT_CARD, hint: 'a salt is used twice' }] : []),
  ]
}

function isThere(card: JsonValue | undefined, name: string): boolean {
  const value = isJsonObject(card) && Object.hasOwn(card, name) ? card[name] : undefined
  return Array.isArray(value) ? value.length > 0 : value !== undefined
}

const isPadded = ({ digests, disclosed }: Container): boolean => digests >= paddedCount(disclosed) && (digests & (digests - 1)) === 0

function tieFaults(undisclosed: JsonObject, claims: CardCredentialClaims, c0: JsonObject): Fault[] {
  if (claims.card_sha256 !== cardDigest(c0)) return [{ pointer: '/card_sha256', hint: 'it is the digest of another public card' }]
  const isSame = canonical(undisclosed.agent_card) === canonical(withoutSignatures(c0))
  return isSame ? [] : [{ pointer: AGENT_CARD, hint: 'with nothing disclosed it is not the public card' }]
}

async function requireKeyBinding(verified: ProcessedSdJwt, { cnf }: CardCredentialClaims, expected: KeyBindingExpectation): Promise<void> {
  if (verified.keyBinding === undefined || cnf === undefined)
    refuse('key_binding_required', 'the presentation is refused: it has no key binding')
  await verifyKeyBinding(verified.keyBinding, { jwk: cnf?.jwk ?? {} }, verified.sdHash, expected)
}

export interface CardOrder {
  readonly iss: string
  readonly sub: string
  readonly iat: number
  readonly exp: number
  readonly vct: string
  readonly cardId: AgentId
  readonly cardVersion: number
  /** Public key of the agent, where it shall present its card itself. */
  readonly holder?: Readonly<Record<string, unknown>>
  /** The whole card without `signatures`; `hide` are JSON Pointers into it. */
  readonly card: JsonObject
  readonly hide: readonly string[]
  /** Told the digest of each hidden part, by its pointer into the card. */
  readonly onDisclosure?: (pointer: string, digest: string) => void
}

/** Signs a card as SD-JWT with all its disclosures. C0 is what publicCardOf gives for the same order. */
export function issueCardCredential(
  order: CardOrder,
  deps: { readonly signer: Signer; readonly random: Pick<Random, 'bytes' | 'token'> },
): Promise<string> {
  const card = withoutSignatures(order.card)
  for (const pointer of order.hide) {
    if (PLAIN.some((plain) => isWithin(plain, pointer)) || NEVER_EMPTY.some((list) => list === pointer)) {
      refuse('sd_jwt_invalid', 'this part of a card is never hidden', {
        faults: [{ pointer, hint: 'name, description, version, capabilities and the lists of skills and interfaces stay plain' }],
      })
    }
  }
  const hideable = ['', ...NEVER_EMPTY].filter((pointer) => pointer === '' || Array.isArray(card[pointer.slice(1)]))
  const claims = {
    iss: order.iss,
    sub: order.sub,
    iat: order.iat,
    exp: order.exp,
    vct: order.vct,
    ...(order.holder === undefined ? {} : { cnf: { jwk: order.holder as JsonObject } }), // a JWK is JSON
    card_id: order.cardId,
    card_version: order.cardVersion,
    card_sha256: cardDigest(publicCardOf(card, order.hide)),
    agent_card: card,
  }
  const within = (pointer: string): string => AGENT_CARD + pointer
  return issueSdJwt(
    { typ: CARD_TYP, kid: thumbprint(deps.signer.publicJwk) },
    {
      claims,
      hide: order.hide.map(within),
      hideable: hideable.map(within),
      onDisclosure: (pointer, digest) => order.onDisclosure?.(pointer.slice(AGENT_CARD.length), digest),
    },
    deps,
  )
}

/** C0: the card without `signatures` and without what is hidden. */
export function publicCardOf(card: JsonObject, hide: readonly string[]): JsonObject {
  const hidden = new Set(hide)
  const bare = withoutHidden(withoutSignatures(card), '', hidden)
  return isJsonObject(bare) ? bare : {}
}

function withoutHidden(value: JsonValue, pointer: string, hidden: ReadonlySet<string>): JsonValue {
  if (Array.isArray(value)) {
    const items: readonly JsonValue[] = value
    return items.flatMap((one, i) => (hidden.has(`${pointer}/${i}`) ? [] : [withoutHidden(one, `${pointer}/${i}`, hidden)]))
  }
  if (!isJsonObject(value)) return value
  const kept = Object.entries(value)
    .map(([name, one]) => ({ name, one, place: `${pointer}/${pointerToken(name)}` }))
    .filter(({ place }) => !hidden.has(place))
  return Object.fromEntries(kept.map(({ name, one, place }) => [name, withoutHidden(one, place, hidden)]))
}
