import type { z } from 'zod'
import { type Reason, refuse } from '../../errors.js'
import type { JsonObject } from '../../lib/json.js'
import { SKEW_SECONDS } from '../../protocol/claims.js'
import type { ParsedKey, VerificationKey } from './jwk.js'
import { findSigner, type Jws, type JwsRule, readClaims, readJws } from './jws.js'

/** The keys among which a token's key is looked for: by `kid`, or all that may have signed. */
export type KeysFor = (kid: string | undefined) => readonly VerificationKey[] | Promise<readonly VerificationKey[]>

/** What one kind of JWT must be. Everything is fixed by the kind, nothing by the token. */
export interface JwtKind<T> extends JwsRule {
  /** In refusals: `the ${name} is refused: …`. */
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

const MAX_KEYS_TRIED = 20

/** Form, header, key, signature, claims: in this order, so that no stranger's claims are looked at. Throws nothing but a Refusal, whatever the bytes are. */
export async function verifyJwt<T>(token: unknown, kind: JwtKind<T>, keysFor: KeysFor): Promise<VerifiedJwt<T>> {
  const jws = readJws(token, kind)
  return typeof jws === 'string' ? refuseAs(kind, jws) : verifyRead(jws, kind, keysFor)
}

/** As verifyJwt, of what was read by the rule of the kind. */
export async function verifyRead<T>(jws: Jws, kind: JwtKind<T>, keysFor: KeysFor): Promise<VerifiedJwt<T>> {
  const keys = await keysFor(jws.header.kid)
  const key = await findSigner(jws, keys.slice(0, MAX_KEYS_TRIED))
  if (key === undefined) return refuseAs(kind, 'it is not signed by a key that counts here')
  return { claims: claimsOf(jws, kind), key, kid: jws.header.kid, jws }
}

/** The claims of a verified JWS in the shape of its kind, or a refusal that names the claim. */
export function claimsOf<T>(jws: Jws, kind: JwtKind<T>): T {
  const claims = readClaims(jws.payload)
  return typeof claims === 'string' ? refuseAs(kind, claims) : shapedAs(claims, kind)
}

function shapedAs<T>(claims: JsonObject, kind: JwtKind<T>): T {
  const parsed = kind.claims.safeParse(claims)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  return refuseAs(kind, `its claim \`${issue?.path.join('.') ?? ''}\` is missing or not what it must be`)
}

export const refuseAs = (kind: { readonly name: string; readonly reason: Reason }, hint: string): never =>
  refuse(kind.reason, `the ${kind.name} is refused: ${hint}`)

interface Times {
  readonly iat?: number | undefined
  readonly nbf?: number | undefined
  readonly exp?: number | undefined
}

/** What is wrong with a token's times at `now`; two clocks may differ by SKEW_SECONDS. `exp` itself is judged without leeway. */
export function timeFault({ iat, nbf, exp }: Times, now: number, maxSeconds?: number): string | undefined {
  if (exp !== undefined && exp <= now) return 'it has expired'
  if (iat !== undefined && iat > now + SKEW_SECONDS) return 'it was issued in the future'
  if (nbf !== undefined && nbf > now + SKEW_SECONDS) return 'it is not valid yet'
  if (maxSeconds === undefined || exp === undefined) return undefined
  return exp - (iat ?? now) > maxSeconds || exp > now + maxSeconds + SKEW_SECONDS ? `it lives longer than ${maxSeconds} s` : undefined
}

/** Refuses unless each expectation holds; the texts name the claim, never its value. */
export function requireAll(
  kind: { readonly name: string; readonly reason: Reason },
  faults: readonly (string | undefined | false)[],
): void {
  for (const fault of faults) if (fault) refuseAs(kind, fault)
}
