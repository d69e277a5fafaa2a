import { digestOfText } from '../src/credentials/jose/digest.js'
import { thumbprint } from '../src/credentials/jose/jwk.js'
import { newEs256Signer, type Signer, signJwt } from '../src/credentials/jose/sign.js'
import { systemRandom } from '../src/lib/random.js'
import type { Actor, Registry } from './registry.js'

export interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes, each asserted where it is used
  readonly body: any
  readonly headers: Headers
}

type Claims = Readonly<Record<string, unknown>>
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** A client's assertion, any of whose claims a test may change; undefined leaves one out. */
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
  return signJwt({ typ: 'client-authentication+jwt', kid: thumbprint(actor.signer.publicJwk), ...header }, claims, actor.signer)
}

/** A DPoP proof, any of whose claims a test may change. */
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
  return signJwt({ typ: 'dpop+jwt', jwk: signer.publicJwk, ...header }, claims, signer)
}

export async function post(
  registry: Registry,
  path: string,
  form: Claims | string | readonly (readonly [string, string])[],
  headers: Record<string, string> = {},
): Promise<Answer> {
  const body =
    typeof form === 'string'
      ? form
      : new URLSearchParams(Array.isArray(form) ? form.map(([name, value]) => [name, value]) : strings(form as Claims)).toString()
  const answer = await registry.fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body,
  })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text), headers: answer.headers }
}

const strings = (form: Claims): Record<string, string> =>
  Object.fromEntries(Object.entries(form).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])))

/** A current server nonce, as a refused request gives it. */
export async function freshNonce(registry: Registry, actor: Actor): Promise<string> {
  const answer = await tokenRequest(registry, actor, { grant_type: 'client_credentials' }, { nonce: undefined })
  return answer.headers.get('dpop-nonce') ?? ''
}

/** A request to the token endpoint with assertion and proof, both of which a test may replace. */
export async function tokenRequest(
  registry: Registry,
  actor: Actor,
  form: Claims,
  options: { nonce?: string | undefined; assertion?: string; proof?: string; signer?: Signer } = {},
): Promise<Answer> {
  const nonce = 'nonce' in options || options.proof !== undefined ? options.nonce : await freshNonce(registry, actor)
  const assertion = options.assertion ?? (await assertionOf(registry, actor))
  const proof =
    options.proof ??
    (await proofOf(registry, options.signer ?? actor.signer, { path: '/oauth/token', ...(nonce !== undefined && { nonce }) }))
  return post(registry, '/oauth/token', { client_assertion_type: JWT_BEARER, client_assertion: assertion, ...form }, { dpop: proof })
}

/** The parameters of a token exchange. */
export const exchangeForm = (subjectToken: string, audience: string, more: Claims = {}): Claims => ({
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token: subjectToken,
  subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  audience,
  ...more,
})

export const withAssertion = async (registry: Registry, actor: Actor, form: Claims): Promise<Claims> => ({
  client_assertion_type: JWT_BEARER,
  client_assertion: await assertionOf(registry, actor),
  ...form,
})

export { newEs256Signer }
