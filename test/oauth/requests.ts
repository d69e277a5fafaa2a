import { digestOfText } from '../../src/credentials/jose/digest.js'
import { thumbprint } from '../../src/credentials/jose/jwk.js'
import { newEs256Signer, type Signer, signJwt } from '../../src/credentials/jose/sign.js'
import { systemRandom } from '../../src/lib/random.js'
import type { Actor, Registry } from '../registry.js'

export interface OAuthResponse {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: bodies have many shapes; each test asserts its own
  readonly body: any
  readonly headers: Headers
}

type Claims = Readonly<Record<string, unknown>>
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** A signer that signs any header. jose refuses to sign one with an unknown `crit`, but only signs for a signer's original `sign`. */
const lenient = (signer: Signer): Signer => ({ ...signer, sign: (data) => signer.sign(data) })

/** A client assertion. `changes` overrides claims; undefined removes one. */
export const assertionOf = (
  registry: Registry,
  actor: { clientId: string; signer: Signer },
  changes: Claims = {},
  header: Claims = {},
): Promise<string> => {
  const now = registry.clock.now()
  const claims = {
    iss: actor.clientId,
    sub: actor.clientId,
    aud: registry.issuer,
    iat: now,
    exp: now + 60,
    jti: systemRandom.token(16),
    ...changes,
  }
  return signJwt({ typ: 'client-authentication+jwt', kid: thumbprint(actor.signer.publicJwk), ...header }, claims, lenient(actor.signer))
}

/** A DPoP proof. `changes` overrides claims; undefined removes one. */
export const proofOf = (
  registry: Registry,
  signer: Signer,
  request: { htm?: string; path: string; accessToken?: string; nonce?: string },
  changes: Claims = {},
  header: Claims = {},
): Promise<string> => {
  const { htm = 'POST', path, accessToken, nonce } = request
  const claims = {
    jti: systemRandom.token(16),
    htm,
    htu: registry.issuer + path,
    iat: registry.clock.now(),
    ath: accessToken === undefined ? undefined : digestOfText(accessToken),
    nonce,
    ...changes,
  }
  return signJwt({ typ: 'dpop+jwt', jwk: signer.publicJwk, ...header }, claims, lenient(signer))
}

export async function postForm(
  registry: Registry,
  path: string,
  form: Claims | string | readonly (readonly [string, string])[],
  headers: Record<string, string> = {},
): Promise<OAuthResponse> {
  const body =
    typeof form === 'string'
      ? form
      : new URLSearchParams(Array.isArray(form) ? form.map(([name, value]) => [name, value]) : strings(form as Claims)).toString()
  const response = await registry.fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body,
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text), headers: response.headers }
}

const strings = (form: Claims): Record<string, string> =>
  Object.fromEntries(Object.entries(form).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])))

/** A current server nonce, taken from the response to a request without one. */
export async function freshNonce(registry: Registry, actor: Actor, more: Claims = {}): Promise<string> {
  const response = await tokenRequest(registry, actor, { grant_type: 'client_credentials', ...more }, { nonce: undefined })
  return response.headers.get('dpop-nonce') ?? ''
}

/** Sends a token request with assertion and proof. `options` can replace both. */
export async function tokenRequest(
  registry: Registry,
  actor: Actor,
  form: Claims,
  options: { nonce?: string | undefined; assertion?: string; proof?: string; signer?: Signer } = {},
): Promise<OAuthResponse> {
  const nonce =
    'nonce' in options || options.proof !== undefined ? options.nonce : await freshNonce(registry, actor, { agent_id: form.agent_id })
  const assertion = options.assertion ?? (await assertionOf(registry, actor))
  const proof =
    options.proof ??
    (await proofOf(registry, options.signer ?? actor.signer, { path: '/oauth/token', ...(nonce !== undefined && { nonce }) }))
  return postForm(registry, '/oauth/token', { client_assertion_type: JWT_BEARER, client_assertion: assertion, ...form }, { dpop: proof })
}

/** The parameters of a token exchange. */
export const exchangeForm = (subjectToken: string, audience: string, more: Claims = {}): Claims => ({
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token: subjectToken,
  subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  audience,
  ...more,
})

export const formWithAssertion = async (registry: Registry, actor: Actor, form: Claims): Promise<Claims> => ({
  client_assertion_type: JWT_BEARER,
  client_assertion: await assertionOf(registry, actor),
  ...form,
})

export { newEs256Signer }
