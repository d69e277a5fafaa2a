import { z } from 'zod'
import { type Reason, refuse } from '../../errors.js'
import { DPOP_ALGORITHMS } from '../../lib/algorithms.js'
import { REPLAY_MARGIN_SECONDS } from '../../protocol/claims.js'
import type { Jkt } from '../../protocol/ids.js'
import { digestOfText } from './digest.js'
import { type PublicJwk, readPublicJwk } from './jwk.js'
import { isSignedBy, readJws } from './jws.js'
import { claimsOf, type JwtKind, refuseAs, requireAll } from './jwt.js'

/** A proof counts this many seconds around its `iat`. */
export const PROOF_WINDOW_SECONDS = 60

const DPOP_PROOF: JwtKind<{ jti: string; htm: string; htu: string; iat: number; ath?: string | undefined; nonce?: string | undefined }> = {
  name: 'DPoP proof',
  reason: 'invalid_dpop_proof',
  maxBytes: 8192,
  algs: DPOP_ALGORITHMS,
  typ: ['dpop+jwt'],
  mayBringKey: true,
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
  /** The public URL of the request; query and fragment are ignored (RFC 9449 §4.3). */
  readonly htu: string
  readonly now: number
  /** At a resource: `ath` must be its hash. At the token endpoint absent. */
  readonly accessToken?: string
  /** Where server nonces are demanded (RFC 9449 §8): whether one is current, and a fresh one for the refusal. */
  readonly nonce?: { accepts(nonce: string): boolean; fresh(): string }
  readonly windowSeconds?: number
  readonly reason?: Reason
}

export interface VerifiedProof {
  readonly jkt: Jkt
  readonly jwk: PublicJwk
  /** Spent by the caller (spendProof) together with `jkt`. */
  readonly jti: string
  /** After this the proof would be refused anyway. */
  readonly expiresAt: number
}

/**
 * A proof that the sender of this one request possesses a key. Replay is the caller's: it spends (`jkt`, `jti`).
 *
 * @see [RFC 9449 §4.3](https://www.rfc-editor.org/rfc/rfc9449.html#section-4.3)
 */
export async function verifyDpopProof(proof: unknown, expected: ProofExpectation): Promise<VerifiedProof> {
  const kind = { ...DPOP_PROOF, reason: expected.reason ?? DPOP_PROOF.reason }
  const jws = readJws(proof, kind)
  if (typeof jws === 'string') return refuseAs(kind, jws)
  const key = readPublicJwk(jws.header.jwk, [jws.header.alg])
  if (typeof key === 'string') return refuseAs(kind, `its key is refused: ${key}`)
  if (!(await isSignedBy(jws, key))) return refuseAs(kind, 'its signature is not by its key')
  const claims = claimsOf(jws, kind)
  const window = expected.windowSeconds ?? PROOF_WINDOW_SECONDS
  requireAll(kind, [
    claims.htm !== expected.htm && '`htm` is another method',
    !isSameUrl(claims.htu, expected.htu) && '`htu` is another URL',
    Math.abs(claims.iat - expected.now) > window && '`iat` is outside the window',
    expected.accessToken !== undefined && claims.ath !== digestOfText(expected.accessToken) && '`ath` is not of this token',
  ])
  if (expected.nonce && (claims.nonce === undefined || !expected.nonce.accepts(claims.nonce))) {
    refuse('use_dpop_nonce', 'the DPoP proof needs a current server nonce', { dpopNonce: expected.nonce.fresh() })
  }
  return { jkt: key.jkt, jwk: key.jwk, jti: claims.jti, expiresAt: claims.iat + window + 1 }
}

/**
 * Spends a proof, once per proof key; false where it was spent before. Whoever sees proofs keeps them equally long.
 *
 * @see [RFC 9449 §11.1](https://www.rfc-editor.org/rfc/rfc9449.html#section-11.1)
 */
export const consumeProof = (
  { jkt, jti, expiresAt }: Pick<VerifiedProof, 'jkt' | 'jti' | 'expiresAt'>,
  spend: (name: string, keptUntil: number) => Promise<boolean>,
): Promise<boolean> => spend(`${jkt} ${jti}`, expiresAt + REPLAY_MARGIN_SECONDS)

/** Nearly always it is spelled as we spell it. */
function isSameUrl(claimed: string, expected: string): boolean {
  const own = comparableUrl(expected)
  return own !== undefined && (claimed === expected || comparableUrl(claimed) === own)
}

/**
 * Case of scheme, host and percent-encoding, dot segments, default port and empty path do not count; query and fragment are dropped.
 * Percent-encoded letters stay encoded: a proof that spells a path so is refused, never taken for another path.
 *
 * @see [RFC 3986 §6.2.2–6.2.3](https://www.rfc-editor.org/rfc/rfc3986.html#section-6.2.2)
 */
export function comparableUrl(text: string): string | undefined {
  // The URL parser would quietly mend backslashes, spaces and controls.
  if (!/^https?:\/\/(?![/?#])[\x21-\x5b\x5d-\x7e]+$/i.test(text) || !URL.canParse(text)) return undefined
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return undefined
  return `${url.protocol}//${url.host}${url.pathname.replace(/%[0-9a-f]{2}/gi, (code) => code.toUpperCase())}`
}
