// The registry as a client of OpenID Providers: authorization code with PKCE, state and nonce, authenticated by private_key_jwt.
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type Configuration,
  calculatePKCECodeChallenge,
  customFetch,
  discovery,
} from 'openid-client'
import { signJwt } from '../../../credentials/jose/sign.js'
import { isRefusal, type Reason, refuse } from '../../../errors.js'
import { BoundedMap } from '../../../lib/bounded-map.js'
import type { Clock } from '../../../lib/clock.js'
import type { Cause, GuardedFetch } from '../../../lib/guarded-fetch/guarded-fetch.js'
import type { Random } from '../../../lib/random.js'
import type { KeyRing } from '../../../signing-keys/key-ring.js'
import type { ForeignIssuer, UpstreamSignIn } from '../store.js'

export interface ProviderDeps {
  readonly guardedFetch: GuardedFetch
  readonly keyRing: KeyRing
  readonly clock: Clock
  readonly random: Random
  readonly issuer: string
  readonly dev: boolean
}

type Provider = Pick<ForeignIssuer, 'url' | 'clientId'>

const ASSERTION_SECONDS = 60

/** The redirect URI at a provider. */
export const callbackOf = (issuer: string, issuerId: string): string => `${issuer}/sign-in/${issuerId}/callback`

/** Reads the metadata of a provider. Its `issuer` must be the URL (OpenID Connect Discovery §4.3). */
export async function readProvider(deps: ProviderDeps, { url, clientId }: Provider, cause: Cause): Promise<Configuration> {
  const options = {
    [customFetch]: fetchBy(deps, cause),
    ...(deps.dev && { execute: [allowInsecureRequests] }),
  }
  // The library awaits the authentication, although its type does not say so
  const authenticate = async (as: { readonly issuer: string }, body: URLSearchParams) => {
    body.set('client_id', clientId)
    body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    body.set('client_assertion', await assertionFor(deps, clientId, as.issuer))
  }
  return discovery(new URL(url), clientId, {}, (as, _, body) => authenticate(as, body), options).catch((error: unknown) =>
    failed(error, 'fetch_failed', `cannot use the OpenID Provider at ${url}: its metadata could not be read, or name another issuer`),
  )
}

/** The metadata and keys of the providers of registered issuers. */
export interface Providers {
  of(issuer: ForeignIssuer): Promise<Configuration>
}

const CACHE_SECONDS = 600
const MAX_CACHED = 256

/** Reads the metadata of each provider once in CACHE_SECONDS. */
export function newProviders(deps: ProviderDeps): Providers {
  const cached = new BoundedMap<string, { readonly provider: Configuration; readonly until: number }>(MAX_CACHED)
  return {
    of: async (issuer) => {
      const known = cached.get(issuer.id)
      if (known && known.until > deps.clock.now()) return known.provider
      const provider = await readProvider(deps, issuer, { issuerId: issuer.id })
      return cached.set(issuer.id, { provider, until: deps.clock.now() + CACHE_SECONDS }).provider
    },
  }
}

/** The URL to which a browser is sent to sign in. */
export async function authorizationUrl(
  issuer: string,
  provider: Configuration,
  { issuerId, state, nonce, verifier, linkTo }: UpstreamSignIn,
): Promise<string> {
  return buildAuthorizationUrl(provider, {
    redirect_uri: callbackOf(issuer, issuerId),
    scope: 'openid profile',
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    // Somebody else may be signed in at the provider
    ...(linkTo !== undefined && { prompt: 'login' }),
  }).href
}

/** The verified claims of the ID token that a code is exchanged for. */
export async function claimsOf(
  provider: Configuration,
  callback: URL,
  { state, nonce, verifier }: UpstreamSignIn,
): Promise<Readonly<Record<string, unknown>> & { readonly sub: string }> {
  const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true }
  const tokens = await authorizationCodeGrant(provider, callback, checks).catch((error: unknown) =>
    failed(error, 'code_invalid', 'the sign-in at the provider was not accepted; start again'),
  )
  return tokens.claims() ?? refuse('code_invalid', 'the provider sent no ID token')
}

async function assertionFor({ keyRing, clock, random }: ProviderDeps, clientId: string, audience: string): Promise<string> {
  const signer = await keyRing.signer('client')
  const iat = clock.now()
  const claims = { iss: clientId, sub: clientId, aud: audience, jti: random.token(16), iat, exp: iat + ASSERTION_SECONDS }
  return signJwt({ typ: 'JWT', kid: signer.kid }, claims, signer)
}

/** The library sends its requests through the guarded fetch, which sends no headers of others and follows no redirect. */
const fetchBy =
  ({ guardedFetch }: ProviderDeps, cause: Cause) =>
  async (url: string, { method, body }: { method: string; body?: unknown }): Promise<Response> => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const message = method === 'POST' ? { body: String(body ?? ''), headers } : undefined
    const fetched = await guardedFetch({ url, purpose: 'sign-in', cause, message })
    return new Response(Uint8Array.from(fetched.body), { headers: { 'content-type': fetched.contentType } })
  }

/** Throws one refusal for every fault of a provider; the log has the cause. A refusal of the registry itself, such as a rate limit, is rethrown. */
function failed(error: unknown, reason: Reason, text: string): never {
  const cause = error instanceof Error ? error.cause : undefined
  for (const one of [error, cause]) if (isRefusal(one)) throw one
  return refuse(reason, text, { cause: error })
}
