import { z } from 'zod'
import { type Reason, refuse } from '../../errors.js'
import type { JsonObject } from '../../lib/json.js'
import { quickParse } from '../../lib/quick-parse.js'
import { MAX_AHEAD_SECONDS } from '../../protocol/claims.js'
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
  readonly times: Times
  readonly key: ParsedKey
  readonly kid: string | undefined
  readonly jws: Jws
}

/**
 * Checks form, header, key, signature and claims in this order, so unsigned claims are never interpreted. Throws only Refusals, for any input.
 */
export async function verifyJwt<T>(token: unknown, kind: JwtKind<T>, keysFor: KeysFor): Promise<VerifiedJwt<T>> {
  const jws = readJws(token, kind)
  return typeof jws === 'string' ? refuseAs(kind, jws) : verifyJws(jws, kind, keysFor)
}

/** Like verifyJwt, but for a JWS that readJws has accepted for this kind. */
export async function verifyJws<T>(jws: Jws, kind: JwtKind<T>, keysFor: KeysFor): Promise<VerifiedJwt<T>> {
  const key = await findSigner(jws, await keysFor(jws.header.kid))
  if (key === undefined) return refuseAs(kind, 'no accepted key signed it (its key may be unknown or revoked)')
  return { ...claimsOf(jws, kind), key, kid: jws.header.kid, jws }
}

/** Parses the claims of a verified JWS as its kind requires, and its time claims, whatever the kind. A refusal names the claim. */
export function claimsOf<T>(jws: Jws, kind: JwtKind<T>): { readonly claims: T; readonly times: Times } {
  const claims = readClaims(jws.payload)
  if (typeof claims === 'string') return refuseAs(kind, claims)
  return { claims: shapedAs(claims, kind, kind.claims), times: shapedAs(claims, kind, Times) }
}

function shapedAs<T>(claims: JsonObject, kind: Pick<JwtKind<unknown>, 'name' | 'reason'>, shape: z.ZodType<T>): T {
  const parsed = quickParse(shape, claims)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  return refuseAs(kind, `its claim \`${issue?.path.join('.') ?? ''}\` is missing or invalid`)
}

export const refuseAs = (kind: { readonly name: string; readonly reason: Reason }, hint: string): never =>
  refuse(kind.reason, `invalid ${kind.name}: ${hint}`)

/** The time claims (RFC 7519 §4.1.4–6). A kind need not list them: `timeFault` judges each that is present. */
const Times = z.looseObject({ iat: z.number().optional(), nbf: z.number().optional(), exp: z.number().optional() })
type Times = z.infer<typeof Times>

/**
 * Returns the fault of a token's times at `now`, if any. `iat` and `nbf` may be up to MAX_AHEAD_SECONDS ahead; `exp` has no tolerance. A token that
 * was made before `madeFrom` has a fault.
 */
export function timeFault({ iat, nbf, exp }: Times, now: number, maxSeconds?: number, madeFrom = 0): string | undefined {
  // Without `iat` nobody knows when it was made, so the earliest possible time counts
  if ((iat ?? (exp ?? 0) - (maxSeconds ?? 0)) < madeFrom) return 'it was made before the registry started, or while its clock was wrong'
  if (exp !== undefined && exp <= now) return 'it has expired'
  if (iat !== undefined && iat > now + MAX_AHEAD_SECONDS) return '`iat` is in the future'
  if (nbf !== undefined && nbf > now + MAX_AHEAD_SECONDS) return 'it is not valid yet'
  if (maxSeconds === undefined || exp === undefined) return undefined
  return exp - (iat ?? now) > maxSeconds || exp > now + maxSeconds + MAX_AHEAD_SECONDS
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
