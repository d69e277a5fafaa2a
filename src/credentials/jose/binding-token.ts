import { BINDING_SECONDS, BindingClaims } from '../../protocol/approvals/token-request.js'
import type { Jkt } from '../../protocol/ids.js'
import { type JwtKind, type KeysFor, requireAll, timeFault, verifyJwt } from './jwt.js'
import { type Signer, signJwt } from './sign.js'

const BINDING_TYP = 'credence-approval+jwt'
const MAX_BINDING_BYTES = 32_768
const BINDING_TOKEN: JwtKind<BindingClaims> = {
  name: 'binding token',
  reason: 'bad_input',
  maxBytes: MAX_BINDING_BYTES,
  algs: ['ES256'],
  typ: [BINDING_TYP],
  claims: BindingClaims,
}

/** Signs a binding token. Undefined if it would be larger than a verifier accepts. */
export async function signBinding(claims: BindingClaims, signer: Signer & { readonly kid: string }): Promise<string | undefined> {
  const token = await signJwt({ typ: BINDING_TYP, kid: signer.kid }, claims, signer)
  return token.length <= MAX_BINDING_BYTES ? token : undefined
}

/** Verifies the binding token of an approval: this registry made it for the client. The caller checks that its signing key stands. */
export async function verifyBinding(
  token: unknown,
  keysFor: KeysFor,
  expected: { readonly issuer: string; readonly clientId: string; readonly now: number },
): Promise<{ readonly claims: BindingClaims; readonly kid: Jkt }> {
  const { claims, times, key } = await verifyJwt(token, BINDING_TOKEN, keysFor)
  requireAll(BINDING_TOKEN, [
    (claims.iss !== expected.issuer || claims.aud !== expected.issuer) && '`iss` and `aud` are not this issuer',
    claims.sub !== expected.clientId && '`sub` is not the client that sent it',
    timeFault(times, expected.now, BINDING_SECONDS),
  ])
  return { claims, kid: key.jkt }
}
