// Each kind of JWT has one verify function. The kind fixes algorithms, `typ`, size and required claims. Callers pass the time as `now`.
import { z } from 'zod'
import type { Reason } from '../../errors.js'
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../../lib/algorithms.js'
import { BoundedMap } from '../../lib/bounded-map.js'
import { deepFreeze } from '../../lib/deep-freeze.js'
import { ReleasePolicy, Tier } from '../../protocol/cards/release-policy.js'
import { AccessTokenClaims, MAX_TOKEN_BYTES } from '../../protocol/claims.js'
import { AgentId, type Jkt } from '../../protocol/ids.js'
import { MAX_TOKEN_SECONDS } from '../../protocol/rights.js'
import { Standing } from '../../protocol/standing.js'
import type { VerificationKey } from './jwk.js'
import { isKeyAmong, type Jws, readClaims, readJws } from './jws.js'
import { type JwtKind, type KeysFor, requireAll, timeFault, type VerifiedJwt, verifyJws, verifyJwt } from './jwt.js'

const Text = z.string().min(1).max(512)
const NumericDate = z.int().min(0)
const Digest = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
/** Maximum lifetime of client assertions, key proofs and card views. */
export const MAX_PROOF_SECONDS = 300

const CLIENT_ASSERTION: JwtKind<ClientAssertionClaims> = {
  name: 'client assertion',
  reason: 'invalid_client',
  maxBytes: 8192,
  algs: SIGNATURE_ALGORITHMS,
  typ: ['client-authentication+jwt', 'jwt', undefined],
  isHot: true,
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
interface ClientAssertionClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: string
  readonly exp: number
  readonly iat?: number | undefined
  readonly nbf?: number | undefined
  readonly jti: string
}

/**
 * Reads an assertion without verifying it. Use the claimed `clientId` only to find the keys of the client. Returns undefined for anything
 * else.
 */
export function readClientAssertion(assertion: unknown): { readonly clientId: string; readonly jws: Jws } | undefined {
  const jws = readJws(assertion, CLIENT_ASSERTION)
  if (typeof jws === 'string') return undefined
  const claims = readClaims(jws.payload)
  const clientId = typeof claims === 'string' || claims.sub !== claims.iss ? undefined : claims.sub
  return typeof clientId === 'string' ? { clientId, jws } : undefined
}

interface ClientAssertionExpectation {
  readonly clientId: string
  readonly keys: readonly VerificationKey[]
  readonly issuer: string
  readonly now: number
  /** An assertion that was made before is refused. */
  readonly madeFrom?: number
}

/**
 * Verifies a client assertion that `readClientAssertion` has read: signed by a key of the client, for exactly this issuer, valid for at most
 * MAX_PROOF_SECONDS. The caller consumes the pair of client and `jti`.
 *
 * @see [RFC 7523 §3](https://www.rfc-editor.org/rfc/rfc7523.html#section-3)
 */
export async function verifyParsedAssertion(
  jws: Jws,
  expected: ClientAssertionExpectation,
): Promise<{ readonly claims: ClientAssertionClaims; readonly jkt: Jkt }> {
  const { claims, times, key } = await verifyJws(jws, CLIENT_ASSERTION, () => expected.keys)
  requireAll(CLIENT_ASSERTION, [
    claims.iss !== expected.clientId && '`iss` is not the client id',
    claims.sub !== expected.clientId && '`sub` is not the client id',
    claims.aud !== expected.issuer && '`aud` is not exactly this issuer',
    timeFault(times, expected.now, MAX_PROOF_SECONDS, expected.madeFrom),
  ])
  return { claims, jkt: key.jkt }
}

const ACCESS_TOKEN: JwtKind<AccessTokenClaims> = {
  name: 'access token',
  reason: 'invalid_token',
  maxBytes: MAX_TOKEN_BYTES,
  algs: ['ES256'],
  typ: ['at+jwt'],
  isHot: true,
  claims: AccessTokenClaims,
}

/**
 * Verifies an access token of this issuer, signed by the key that its `kid` names. The caller checks its standing and the proof of its sender.
 * The result holds `kid`, because a token also depends on the handle `rk:<kid>` of its key.
 *
 * @see [RFC 9068 §4](https://www.rfc-editor.org/rfc/rfc9068.html#section-4)
 */
export async function verifyAccessToken(
  token: unknown,
  keysFor: KeysFor,
  expected: { readonly issuer: string; readonly now: number; readonly audience?: string; readonly reason?: Reason },
): Promise<{ readonly claims: AccessTokenClaims; readonly kid: Jkt }> {
  const kind = { ...ACCESS_TOKEN, reason: expected.reason ?? ACCESS_TOKEN.reason }
  const { claims, times, key, kid } = (await cachedToken(token, keysFor)) ?? cacheToken(token, await verifyJwt(token, kind, keysFor))
  requireAll(kind, [
    kid !== key.jkt && 'its `kid` does not name its key',
    claims.iss !== expected.issuer && '`iss` is not the issuer',
    expected.audience !== undefined &&
      claims.aud !== expected.audience &&
      `\`aud\` is not the audience of this server (expected ${expected.audience})`,
    timeFault(times, expected.now, MAX_TOKEN_SECONDS),
  ])
  return { claims, kid: key.jkt }
}

type CachedToken = Pick<VerifiedJwt<AccessTokenClaims>, 'claims' | 'times' | 'key' | 'kid'>
/** Tokens whose signature was verified. An agent sends the same token with many requests. */
const verifiedTokens = new BoundedMap<string, CachedToken>(1000)

/** Saves only the signature check: the key must still be among the issuer's keys, and the caller checks times and claims again. */
async function cachedToken(token: unknown, keysFor: KeysFor): Promise<CachedToken | undefined> {
  const cached = typeof token === 'string' && token.length <= MAX_TOKEN_BYTES ? verifiedTokens.get(token) : undefined
  return cached && isKeyAmong(cached.key, await keysFor(cached.kid)) ? cached : undefined
}

function cacheToken(token: unknown, { claims, times, key, kid }: VerifiedJwt<AccessTokenClaims>): CachedToken {
  const verified = deepFreeze({ claims, times, key, kid })
  return typeof token === 'string' ? verifiedTokens.set(token, verified) : verified
}

/** `typ` of the proof of possession that every registration of a key needs. */
export const KEY_PROOF_TYP = 'credence-key-proof+jwt'
const KEY_PROOF: JwtKind<{ aud: string; iat: number; exp: number; jti: string; owner: string }> = {
  name: 'key proof',
  reason: 'key_invalid',
  maxBytes: 4096,
  algs: SIGNATURE_ALGORITHMS,
  typ: [KEY_PROOF_TYP],
  claims: z.strictObject({ aud: Text, iat: NumericDate, exp: NumericDate, jti: z.string().min(8).max(256), owner: Text }),
}

/**
 * Verifies a proof of possession: the key itself signed that it is registered for `owner` at this issuer. The caller consumes the pair of
 * `jkt` and `jti`.
 */
export async function verifyKeyProof(
  proof: unknown,
  expected: {
    readonly key: VerificationKey
    readonly issuer: string
    readonly owner: string
    readonly now: number
    readonly madeFrom?: number
  },
): Promise<{ readonly jkt: Jkt; readonly alg: SignatureAlgorithm; readonly jti: string; readonly exp: number }> {
  const { claims, times, key } = await verifyJwt(proof, KEY_PROOF, () => [expected.key])
  requireAll(KEY_PROOF, [
    claims.aud !== expected.issuer && '`aud` is not exactly this issuer',
    claims.owner !== expected.owner && '`owner` is not the owner of this registration',
    timeFault(times, expected.now, MAX_PROOF_SECONDS, expected.madeFrom),
  ])
  return { jkt: key.jkt, alg: key.alg, jti: claims.jti, exp: claims.exp }
}

/** `typ` of the statement by which a key names the key that replaces it. */
export const KEY_ROTATION_TYP = 'credence-key-rotation+jwt'
const KEY_ROTATION: JwtKind<{ aud: string; iat: number; exp: number; owner: string; jkt: string }> = {
  name: 'key rotation',
  reason: 'key_invalid',
  maxBytes: 4096,
  algs: SIGNATURE_ALGORITHMS,
  typ: [KEY_ROTATION_TYP],
  claims: z.strictObject({ aud: Text, iat: NumericDate, exp: NumericDate, owner: Text, jkt: Text }),
}

/**
 * Verifies that one of `keys` names the key with the thumbprint `jkt` as its successor, and returns the thumbprint of the signing key. The statement
 * needs no replay check: only the holder of the new key can use it, and the proof of possession that comes with it is consumed.
 */
export async function verifyKeyRotation(
  statement: unknown,
  expected: {
    readonly keys: readonly VerificationKey[]
    readonly issuer: string
    readonly owner: string
    readonly jkt: Jkt
    readonly now: number
    readonly madeFrom?: number
  },
): Promise<Jkt> {
  const { claims, times, key } = await verifyJwt(statement, KEY_ROTATION, () => expected.keys)
  requireAll(KEY_ROTATION, [
    claims.aud !== expected.issuer && '`aud` is not exactly this issuer',
    claims.owner !== expected.owner && '`owner` is not the owner of the keys',
    claims.jkt !== expected.jkt && '`jkt` is not the thumbprint of the new key',
    timeFault(times, expected.now, MAX_PROOF_SECONDS, expected.madeFrom),
  ])
  return key.jkt
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

/** Verifies a publisher's release policy for one card. The caller checks that its number is higher than the last one. */
export async function verifyReleasePolicy(
  policy: unknown,
  keysFor: KeysFor,
  expected: { readonly issuers?: readonly string[]; readonly subject?: string; readonly cardSha256?: string; readonly now: number },
): Promise<{ readonly policy: ReleasePolicy; readonly jkt: Jkt }> {
  const { claims, times, key } = await verifyJwt(policy, RELEASE_POLICY, keysFor)
  requireAll(RELEASE_POLICY, [
    expected.issuers !== undefined && !expected.issuers.includes(claims.iss) && '`iss` is not the publisher of the card',
    expected.subject !== undefined && claims.sub !== expected.subject && '`sub` is not the agent of the card',
    expected.cardSha256 !== undefined && claims.card_sha256 !== expected.cardSha256 && '`card_sha256` is not the digest of the public card',
    timeFault(times, expected.now),
  ])
  return { policy: claims, jkt: key.jkt }
}

export const CARD_VIEW_TYP = 'card-view+jwt'
/** Claims of a card view: the registry's statement about a card to one caller, valid for MAX_PROOF_SECONDS. */
export const CardViewClaims = z.object({
  iss: Text,
  aud: Text,
  iat: NumericDate,
  exp: NumericDate,
  /** Absent if the view has no SD-JWT. */
  sd_hash: Digest.optional(),
  tier: Tier,
  card_id: AgentId,
  card_version: z.int().min(1),
  card_sha256: Digest,
  /** Digest of the parts that no publisher signed: see `factsDigest`. */
  facts_sha256: Digest,
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

/**
 * Verifies that the registry's card key signed the view for this audience. The caller compares its digests with the card, the SD-JWT and the
 * facts.
 */
export async function verifyCardView(
  view: unknown,
  keysFor: KeysFor,
  expected: { readonly issuer: string; readonly audience: string; readonly now: number },
): Promise<{ readonly claims: CardViewClaims; readonly kid: Jkt }> {
  const { claims, times, key } = await verifyJwt(view, CARD_VIEW, keysFor)
  requireAll(CARD_VIEW, [
    claims.iss !== expected.issuer && '`iss` is not the issuer',
    claims.aud !== expected.audience && '`aud` is not the expected audience',
    timeFault(times, expected.now, MAX_PROOF_SECONDS),
  ])
  return { claims, kid: key.jkt }
}
