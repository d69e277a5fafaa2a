import { z } from 'zod'
import { refuse } from '../errors.js'
import { clientClock } from '../lib/clock.js'
import { isLoopback } from '../lib/hosts/loopback.js'
import { errorOf, type Fetch, type HttpDeps, parseResponse, requestJson } from './http.js'

const Url = z.string().max(2048)
const Metadata = z.object({
  issuer: Url,
  token_endpoint: Url,
  introspection_endpoint: Url,
  revocation_endpoint: Url,
  jwks_uri: Url,
  credence_revocations: Url,
})
export type RegistryMetadata = z.infer<typeof Metadata>

const Jwks = z.object({ keys: z.array(z.record(z.string(), z.unknown())).max(100) })

/**
 * Returns the issuer URL without trailing slashes, which a copied URL may have. Issuers are compared as text (RFC 8414 §2). Outside loopback
 * it must be https, because one-time codes and tokens are sent there.
 */
export function issuerOf(text: string): string {
  const url = /^https?:\/\//.test(text) && URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined)
    return refuse('bad_input', `${JSON.stringify(text)} is not the URL of a registry: it must begin with https:// or http://`)
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    return refuse('bad_input', `${JSON.stringify(text)} is not encrypted: http:// is accepted only on loopback; use https://`)
  return text.replace(/\/+$/, '')
}

/**
 * Reads a registry's metadata. Metadata that names another issuer, or endpoints on another origin, is refused: a malicious server could
 * otherwise collect assertions that an honest registry accepts (RFC 8414 §3.3, RFC 9207 §1).
 */
export async function fetchMetadata(deps: HttpDeps, issuer: string): Promise<RegistryMetadata> {
  const { response, body } = await requestJson(deps, `${issuer}/.well-known/oauth-authorization-server`, {})
  if (!response.ok) throw errorOf(response, body)
  const metadata = Metadata.safeParse(body)
  if (!metadata.success) return refuse('invalid_client_metadata', `${issuer} is not a registry: its metadata lacks endpoints`)
  const { issuer: named, credence_revocations: feed, ...endpoints } = metadata.data
  const origin = new URL(issuer).origin
  const isElsewhere = [...Object.values(endpoints), feed.replace(/^ws/, 'http')].some(
    (url) => !URL.canParse(url) || new URL(url).origin !== origin,
  )
  if (named !== issuer) return refuse('invalid_client_metadata', `the registry at ${issuer} has the issuer URL ${named}: use that URL`)
  if (isElsewhere) return refuse('invalid_client_metadata', `the metadata of ${issuer} names endpoints on another origin`)
  return metadata.data
}

/** Fetches the registry's public keys as JWKs with the member `credence_use`. */
export async function fetchKeys(deps: HttpDeps, issuer: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { response, body } = await requestJson(deps, `${issuer}/.well-known/jwks.json`, {})
  if (!response.ok) throw errorOf(response, body)
  return parseResponse(Jwks, body, `the key set of ${issuer}`).keys
}

/** Fetches the registry's keys of one use: `log` signs checkpoints, `card` signs card views, `token` signs access tokens. */
export async function fetchRegistryKeys(issuer: string, use: string, fetch: Fetch = globalThis.fetch) {
  const keys = await fetchKeys({ fetch, clock: clientClock }, issuerOf(issuer))
  return keys.filter((jwk) => jwk.credence_use === use).map((jwk) => ({ jwk, alg: 'ES256' as const }))
}
