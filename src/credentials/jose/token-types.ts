// One function per kind of JWT. Algorithms, type, size and required claims are fixed by the kind; `now` is passed in.
import { z } from 'zod'
import type { Reason } from '../../errors.js'
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../../lib/algorithms.js'
import { frozen } from '../../lib/frozen.js'
import { ReleasePolicy, Tier } from '../../protocol/cards/release-policy.js'
import { AccessTokenClaims, MAX_TOKEN_BYTES } from '../../protocol/claims.js'
import { AgentId, type Jkt } from '../../protocol/ids.js'
import { MAX_TOKEN_SECONDS } from '../../protocol/rights.js'
import { Standing } from '../../protocol/standing.js'
import type { VerificationKey } from './jwk.js'
import { isAmong, type Jws, readClaims, readJws } from './jws.js'
import { type JwtKind, type KeysFor, refuseAs, requireAll, timeFault, type VerifiedJwt, verifyJwt, verifyRead } from './jwt.js'

const Text = z.string().min(1).max(512)
const NumericDate = z.int().min(0)
const Digest = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
export const MAX_PROOF_SECONDS = 300

const CLIENT_ASSERTION: JwtKind<ClientAssertionClaims> = {
  name: 'client assertion',
  reason: 'invalid_client',
  maxBytes: 8192,
  algs: SIGNATURE_ALGORITHMS,
  typ: ['client-authentication+jwt', 'jwt', undefined],
  claims: z.object({
    iss: Text,
    sub: Text,
    aud: Text,
    exp: NumericDate,
    iat: NumericDate.optional(),
    nbf: NumericDate.optional(),
    jti: z.string().min(8).max(256),
  }),
}
export interface ClientAssertionClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: string
  readonly exp: number
  readonly iat?: number | undefined
  readonly nbf?: number | undefined
  readonly jti: string
}

/** Undefined where it is no assertion of anybody. The `client_id` that it claims, unverified, serves only to find the client's keys. */
export function readClientAssertion(assertion: unknown): { readonly clientId: string; readonly jws: Jws } | undefined {
  const jws = readJws(assertion, CLIENT_ASSERTION)
  if (typeof jws === 'string') return undefined
  const claims = readClaims(jws.payload)
  const clientId = typeof claims === 'string' || claims.sub !== claims.iss ? undefined : claims.sub
  return typeof clientId === 'string' ? { clientId, jws } : undefined
}

/**
 * A client's assertion: signed by one of its keys, for exactly this issuer, at most five minutes long. The caller spends (client, `jti`).
 *
 * @see [RFC 7523 §3](https://www.rfc-editor.org/rfc/rfc7523.html#section-3)
 */
export async function verifyClientAssertion(
  assertion: unknown,
  expected: ClientAssertionExpectation,
): Promise<{ readonly claims: ClientAssertionClaims; readonly jkt: Jkt }> {
  const jws = readJws(assertion, CLIENT_ASSERTION)
  return typeof jws === 'string' ? refuseAs(CLIENT_ASSERTION, jws) : verifyReadAssertion(jws, expected)
}

export interface ClientAssertionExpectation {
  readonly clientId: string
  readonly keys: readonly VerificationKey[]
  readonly issuer: string
  readonly now: number
}

/** As verifyClientAssertion, of what readClientAssertion has read. */
export async function verifyReadAssertion(
  jws: Jws,
  expected: ClientAssertionExpectation,
): Promise<{ readonly claims: ClientAssertionClaims; readonly jkt: Jkt }> {
  const { claims, key } = await verifyRead(jws, CLIENT_ASSERTION, () => expected.keys)
  requireAll(CLIENT_ASSERTION, [
    claims.iss !== expected.clientId && '`iss` is not the client',
    claims.sub !== expected.clientId && '`sub` is not the client',
    claims.aud !== expected.issuer && '`aud` is not exactly this issuer',
    timeFault(claims, expected.now, MAX_PROOF_SECONDS),
  ])
  return { claims, jkt: key.jkt }
}

const ACCESS_TOKEN: JwtKind<AccessTokenClaims> = {
  name: 'access token',
  reason: 'invalid_token',
  maxBytes: MAX_TOKEN_BYTES,
  algs: ['ES256'],
  typ: ['at+jwt'],
  claims: AccessTokenClaims,
}

/**
 * An access token of this issuer, signed by the key that its `kid` names. Whether it still stands, and its proof, are judged by the caller:
 * `kid` is handed out because a verifier adds `rk:<kid>` to what the token stands on.
 *
 * @see [RFC 9068 §4](https://www.rfc-editor.org/rfc/rfc9068.html#section-4)
 */
export async function verifyAccessToken(
  token: unknown,
  keysFor: KeysFor,
  expected: { readonly issuer: string; readonly now: number; readonly audience?: string; readonly reason?: Reason },
): Promise<{ readonly claims: AccessTokenClaims; readonly kid: Jkt }> {
  const kind = { ...ACCESS_TOKEN, reason: expected.reason ?? ACCESS_TOKEN.reason }
  const { claims, key, kid } = (await seenBefore(token, keysFor)) ?? keptAsSeen(token, await verifyJwt(token, kind, keysFor))
  requireAll(kind, [
    kid !== key.jkt && 'its `kid` does not name its key',
    claims.iss !== expected.issuer && '`iss` is not the issuer',
    expected.audience !== undefined && claims.aud !== expected.audience && '`aud` is another audience',
    timeFault(claims, expected.now, MAX_TOKEN_SECONDS),
  ])
  return { claims, kid: key.jkt }
}

type SeenToken = Pick<VerifiedJwt<AccessTokenClaims>, 'claims' | 'key' | 'kid'>
const seen = new Map<string, SeenToken>()
const MAX_SEEN = 1000

/** The same bytes are signed by the same key still. That the key counts, the times, and all that the caller expects are asked each time. */
async function seenBefore(token: unknown, keysFor: KeysFor): Promise<SeenToken | undefined> {
  const known = typeof token === 'string' && token.length <= MAX_TOKEN_BYTES ? seen.get(token) : undefined
  return known && isAmong(known.key, await keysFor(known.kid)) ? known : undefined
}

/** An agent sends one token many times. Only what was verified is kept; the oldest goes first. */
function keptAsSeen(token: unknown, { claims, key, kid }: VerifiedJwt<AccessTokenClaims>): SeenToken {
  const kept = frozen({ claims, key, kid })
  if (typeof token === 'string') seen.set(token, kept)
  const oldest = seen.size > MAX_SEEN ? seen.keys().next().value : undefined
  if (oldest !== undefined) seen.delete(oldest)
  return kept
}

/** `typ` of a proof that one possesses a key that is to be registered. */
export const KEY_PROOF_TYP = 'credence-key-proof+jwt'
const KEY_PROOF: JwtKind<{ aud: string; iat: number; exp: number; jti: string; owner: string }> = {
  name: 'registered key proof',
  reason: 'key_invalid',
  maxBytes: 4096,
  algs: SIGNATURE_ALGORITHMS,
  typ: [KEY_PROOF_TYP],
  claims: z.strictObject({ aud: Text, iat: NumericDate, exp: NumericDate, jti: z.string().min(8).max(256), owner: Text }),
}

/** A proof, by the new key itself, that its holder wants it registered for `owner` at this issuer. The caller spends (`jkt`, `jti`). */
export async function verifyKeyProof(
  proof: unknown,
  expected: { readonly key: VerificationKey; readonly issuer: string; readonly owner: string; readonly now: number },
): Promise<{ readonly jkt: Jkt; readonly alg: SignatureAlgorithm; readonly jti: string; readonly exp: number }> {
  const { claims, key } = await verifyJwt(proof, KEY_PROOF, () => [expected.key])
  requireAll(KEY_PROOF, [
    claims.aud !== expected.issuer && '`aud` is not exactly this issuer',
    claims.owner !== expected.owner && '`owner` is another',
    timeFault(claims, expected.now, MAX_PROOF_SECONDS),
  ])
  return { jkt: key.jkt, alg: key.alg, jti: claims.jti, exp: claims.exp }
}

export const RELEASE_TYP = 'credence-release+jwt'
export const MAX_RELEASE_POLICY_BYTES = 131_072
const RELEASE_POLICY: JwtKind<ReleasePolicy> = {
  name: 'release policy',
  reason: 'release_policy_invalid',
  maxBytes: MAX_RELEASE_POLICY_BYTES,
  algs: SIGNATURE_ALGORITHMS,
  typ: [RELEASE_TYP],
  claims: ReleasePolicy,
}

/** A publisher's release policy for one card. That its number rises is judged by the caller, who knows the last one. */
export async function verifyReleasePolicy(
  policy: unknown,
  keysFor: KeysFor,
  expected: { readonly issuer?: string; readonly subject?: string; readonly cardSha256?: string; readonly now: number },
): Promise<{ readonly policy: ReleasePolicy; readonly jkt: Jkt }> {
  const { claims, key } = await verifyJwt(policy, RELEASE_POLICY, keysFor)
  requireAll(RELEASE_POLICY, [
    expected.issuer !== undefined && claims.iss !== expected.issuer && '`iss` is another publisher',
    expected.subject !== undefined && claims.sub !== expected.subject && '`sub` is another agent',
    expected.cardSha256 !== undefined && claims.card_sha256 !== expected.cardSha256 && '`card_sha256` is another card',
    timeFault(claims, expected.now),
  ])
  return { policy: claims, jkt: key.jkt }
}

export const CARD_VIEW_TYP = 'card-view+jwt'
/** Claims of a view: what the registry says of a card to one caller, for five minutes. */
export const CardViewClaims = z.object({
  iss: Text,
  aud: Text,
  iat: NumericDate,
  exp: NumericDate,
  /** Absent where the card has no SD-JWT. */
  sd_hash: Digest.optional(),
  tier: Tier,
  card_id: AgentId,
  card_version: z.int().min(1),
  card_sha256: Digest,
  /** Of the registry's own words beside the card: see `wordsDigest`. */
  words_sha256: Digest,
  standing: Standing,
})
export type CardViewClaims = z.infer<typeof CardViewClaims>
const CARD_VIEW: JwtKind<CardViewClaims> = {
  name: 'card view',
  reason: 'card_signature_invalid',
  maxBytes: 16_384,
  algs: ['ES256'],
  typ: [CARD_VIEW_TYP],
  claims: CardViewClaims,
}

/** A view by the registry's card key, for this audience. Caller compares `sd_hash` and `card_sha256` with what came beside it. */
export async function verifyCardView(
  view: unknown,
  keysFor: KeysFor,
  expected: { readonly issuer: string; readonly audience: string; readonly now: number },
): Promise<{ readonly claims: CardViewClaims; readonly kid: Jkt }> {
  const { claims, key } = await verifyJwt(view, CARD_VIEW, keysFor)
  requireAll(CARD_VIEW, [
    claims.iss !== expected.issuer && '`iss` is not the issuer',
    claims.aud !== expected.audience && '`aud` is another audience',
    timeFault(claims, expected.now, MAX_PROOF_SECONDS),
  ])
  return { claims, kid: key.jkt }
}
