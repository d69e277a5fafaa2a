import { z } from 'zod'
import { type Reason, refuse } from '../../errors.js'
import { DPOP_ALGORITHMS, type SignatureAlgorithm } from '../../lib/algorithms.js'
import { REPLAY_MARGIN_SECONDS } from '../../protocol/claims.js'
import type { Jkt } from '../../protocol/ids.js'
import { digestOfText } from './digest.js'
import { isSignedBy, parsedKeyOf, readJws } from './jws.js'
import { claimsOf, type JwtKind, refuseAs, requireAll, timeFault } from './jwt.js'
import type { PublicJwk } from './public-jwk.js'

/** A proof is accepted until this many seconds after its `iat`. */
const PROOF_WINDOW_SECONDS = 60

const DPOP_PROOF: JwtKind<{ jti: string; htm: string; htu: string; iat: number; ath?: string | undefined; nonce?: string | undefined }> = {
  name: 'DPoP proof',
  reason: 'invalid_dpop_proof',
  maxBytes: 8192,
  algs: DPOP_ALGORITHMS,
  typ: ['dpop+jwt'],
  allowsEmbeddedKey: true,
  isHot: true,
  claims: z.object({
    jti: z.string().min(8).max(256),
    htm: z.string().max(16),
    htu: z.string().max(2048),
    iat: z.int(),
    ath: z.string().max(64).optional(),
    nonce: z.string().max(256).optional(),
  }),
}

export interface ProofExpectation {
  readonly htm: string
  /** Public URL of the request. Query and fragment are ignored (RFC 9449 §4.3). */
  readonly htu: string
  readonly now: number
  /** A proof that was made before is refused. */
  readonly madeFrom?: number
  /** At a protected resource: `ath` must be the hash of this token. Absent at the token endpoint. */
  readonly accessToken?: string
  /** Present if the server requires a nonce (RFC 9449 §8). `fresh` makes the nonce that the refusal carries. */
  readonly nonce?: { accepts(nonce: string): boolean; fresh(): string }
  readonly windowSeconds?: number
  readonly reason?: Reason
}

export interface VerifiedProof {
  readonly jkt: Jkt
  readonly jwk: PublicJwk
  readonly alg: SignatureAlgorithm
  /** The caller consumes it together with `jkt`: see `consumeProof`. */
  readonly jti: string
  /** Epoch seconds from which the proof is outside its window. */
  readonly expiresAt: number
}

/**
 * Verifies a proof that the sender of one request possesses a key. It does not detect a replay: call `consumeProof` for that.
 *
 * @see [RFC 9449 §4.3](https://www.rfc-editor.org/rfc/rfc9449.html#section-4.3)
 */
export async function verifyDpopProof(proof: unknown, expected: ProofExpectation): Promise<VerifiedProof> {
  const kind = { ...DPOP_PROOF, reason: expected.reason ?? DPOP_PROOF.reason }
  const jws = readJws(proof, kind)
  if (typeof jws === 'string') return refuseAs(kind, jws)
  const { jwk, alg } = jws.header
  const key = jwk === undefined ? 'it is missing' : parsedKeyOf(jwk, alg)
  if (typeof key === 'string') return refuseAs(kind, `its key is invalid: ${key}`)
  if (!(await isSignedBy(jws, key))) return refuseAs(kind, 'its signature does not match its key')
  const { claims, times } = claimsOf(jws, kind)
  const window = expected.windowSeconds ?? PROOF_WINDOW_SECONDS
  requireAll(kind, [
    claims.htm !== expected.htm && '`htm` is not the method of this request',
    !isSameUrl(claims.htu, expected.htu) && `\`htu\` is not the URL of this request (expected ${normalisedUrl(expected.htu)})`,
    timeFault(times, expected.now, undefined, expected.madeFrom),
    claims.iat < expected.now - window && `\`iat\` is more than ${window} s ago`,
    expected.accessToken !== undefined && claims.ath !== digestOfText(expected.accessToken) && '`ath` is not the hash of the access token',
  ])
  if (expected.nonce && (claims.nonce === undefined || !expected.nonce.accepts(claims.nonce))) {
    refuse('use_dpop_nonce', 'the DPoP proof has no current server nonce: repeat the request with the nonce in `DPoP-Nonce`', {
      dpopNonce: expected.nonce.fresh(),
    })
  }
  return { jkt: key.jkt, jwk: key.jwk, alg: key.alg, jti: claims.jti, expiresAt: claims.iat + window + 1 }
}

/**
 * Consumes the `jti` of a proof for its key. Returns false if the proof was used before. The replay key is retained until a verifier whose
 * clock is `marginSeconds` behind would refuse the proof as well.
 *
 * @see [RFC 9449 §11.1](https://www.rfc-editor.org/rfc/rfc9449.html#section-11.1)
 */
export const consumeProof = (
  { jkt, jti, expiresAt }: Pick<VerifiedProof, 'jkt' | 'jti' | 'expiresAt'>,
  consume: (replayKey: string, retainUntil: number) => Promise<boolean>,
  marginSeconds = REPLAY_MARGIN_SECONDS,
): Promise<boolean> => consume(`${jkt} ${jti}`, expiresAt + marginSeconds)

/** Compares the plain strings first, which saves the normalisation of `claimed` in nearly all requests. */
function isSameUrl(claimed: string, expected: string): boolean {
  const own = normalisedUrl(expected)
  return own !== undefined && (claimed === expected || normalisedUrl(claimed) === own)
}

/**
 * Returns the URL without query and fragment, normalised: lower-case scheme and host, upper-case percent-encoding, no dot segments, no default
 * port, `/` for an empty path. Percent-encoded letters stay encoded, so a proof that encodes them does not match. Undefined if the text is not an
 * absolute http or https URL, or contains a user name or password.
 *
 * @see [RFC 3986 §6.2.2–6.2.3](https://www.rfc-editor.org/rfc/rfc3986.html#section-6.2.2)
 */
export function normalisedUrl(text: string): string | undefined {
  // The URL parser would silently repair backslashes, spaces and control characters.
  if (!/^https?:\/\/(?![/?#])[\x21-\x5b\x5d-\x7e]+$/i.test(text) || !URL.canParse(text)) return undefined
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return undefined
  return `${url.protocol}//${url.host}${url.pathname.replace(/%[0-9a-f]{2}/gi, (code) => code.toUpperCase())}`
}
