import type { z } from 'zod'
import { type Reason, refuse } from '../../errors.js'
import type { JsonObject } from '../../lib/json.js'
import { SKEW_SECONDS } from '../../protocol/claims.js'
import type { ParsedKey, VerificationKey } from './jwk.js'
import { findSigner, type Jws, type JwsRule, readClaims, readJws } from './jws.js'

/** The keys that may have signed a token, by the `kid` of its header. */
export type KeysFor = (kid: string | undefined) => readonly VerificationKey[] | Promise<readonly VerificationKey[]>

/** The requirements of one kind of JWT. The kind fixes them all; the token chooses none. */
export interface JwtKind<T> extends JwsRule {
  /** The name in refusals: `invalid ${name}: …`. */
  readonly name: string
  readonly reason: Reason
  readonly claims: z.ZodType<T>
}

export interface VerifiedJwt<T> {
  readonly claims: T
  readonly key: ParsedKey
  readonly kid: string | undefined
  readonly jws: Jws
}

/** Further keys of a token's issuer are not tried. */
const MAX_KEYS_TRIED = 20

/**
 * Checks form, header, key, signature and claims in this order, so unsigned claims are never interpreted. Throws only Refusals, for any input.
 */
export async function verifyJwt<T>(token: unknown, kind: JwtKind<T>, keysFor: KeysFor): Promise<VerifiedJwt<T>> {
  const jws = readJws(token, kind)
  return typeof jws === 'string' ? refuseAs(kind, jws) : verifyJws(jws, kind, keysFor)
}

/** Like verifyJwt, but for a JWS that readJws has accepted for this kind. */
export async function verifyJws<T>(jws: Jws, kind: JwtKind<T>, keysFor: KeysFor): Promise<VerifiedJwt<T>> {
  const keys = await keysFor(jws.header.kid)
  const key = await findSigner(jws, keys.slice(0, MAX_KEYS_TRIED))
  if (key === undefined) return refuseAs(kind, 'no accepted key signed it (its key may be unknown or revoked)')
  return { claims: claimsOf(jws, kind), key, kid: jws.header.kid, jws }
}

/** Parses the claims of a verified JWS as its kind requires. A refusal names the claim. */
export function claimsOf<T>(jws: Jws, kind: JwtKind<T>): T {
  const claims = readClaims(jws.payload)
  return typeof claims === 'string' ? refuseAs(kind, claims) : shapedAs(claims, kind)
}

function shapedAs<T>(claims: JsonObject, kind: JwtKind<T>): T {
  const parsed = kind.claims.safeParse(claims)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  return refuseAs(kind, `its claim \`${issue?.path.join('.') ?? ''}\` is missing or invalid`)
}

export const refuseAs = (kind: { readonly name: string; readonly reason: Reason }, hint: string): never =>
  refuse(kind.reason, `invalid ${kind.name}: ${hint}`)

interface Times {
  readonly iat?: number | undefined
  readonly nbf?: number | undefined
  readonly exp?: number | undefined
}

/** Returns the fault of a token's times at `now`, if any. `iat` and `nbf` may be up to SKEW_SECONDS ahead; `exp` has no tolerance. */
export function timeFault({ iat, nbf, exp }: Times, now: number, maxSeconds?: number): string | undefined {
  if (exp !== undefined && exp <= now) return 'it has expired'
  if (iat !== undefined && iat > now + SKEW_SECONDS) return '`iat` is in the future'
  if (nbf !== undefined && nbf > now + SKEW_SECONDS) return 'it is not valid yet'
  if (maxSeconds === undefined || exp === undefined) return undefined
  return exp - (iat ?? now) > maxSeconds || exp > now + maxSeconds + SKEW_SECONDS
    ? `its lifetime is longer than ${maxSeconds} s`
    : undefined
}

/** Refuses with the first fault, if there is one. A fault names a claim and never its value. */
export function requireAll(
  kind: { readonly name: string; readonly reason: Reason },
  faults: readonly (string | undefined | false)[],
): void {
  for (const fault of faults) if (fault) refuseAs(kind, fault)
}
