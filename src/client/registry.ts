import { z } from 'zod'
import { refuse } from '../errors.js'
import { waitingClock } from '../lib/clock.js'
import { errorOf, type Fetch, type HttpDeps, requestJson } from './http.js'

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

/** An issuer as it was typed, without the slash at its end that a copied address may have (RFC 8414 §2: compared as text). */
export function issuerOf(text: string): string {
  const isUrl = /^https?:\/\//.test(text) && URL.canParse(text)
  return isUrl ? text.replace(/\/+$/, '') : refuse('bad_input', `${JSON.stringify(text)} is no address of a registry: write https://…`)
}

/**
 * A registry's metadata. An answer that names another issuer, or endpoints elsewhere, is refused: a liar would otherwise get assertions
 * that an honest registry accepts (RFC 8414 §3.3, RFC 9207 §1).
 */
export async function fetchMetadata(deps: HttpDeps, issuer: string): Promise<RegistryMetadata> {
  const { answer, body } = await requestJson(deps, `${issuer}/.well-known/oauth-authorization-server`, {})
  if (!answer.ok) throw errorOf(answer, body)
  const metadata = Metadata.safeParse(body)
  if (!metadata.success) return refuse('invalid_client_metadata', 'this is no registry: its metadata lack endpoints')
  const { issuer: named, credence_revocations: feed, ...endpoints } = metadata.data
  const origin = new URL(issuer).origin
  const isElsewhere = [...Object.values(endpoints), feed.replace(/^ws/, 'http')].some(
    (url) => !URL.canParse(url) || new URL(url).origin !== origin,
  )
  if (named !== issuer) return refuse('invalid_client_metadata', `the registry at ${issuer} calls itself ${named}: use that address`)
  if (isElsewhere) return refuse('invalid_client_metadata', `the metadata of ${issuer} name endpoints elsewhere`)
  return metadata.data
}

/** The registry's public keys as JWKs, with `credence_use`. */
export async function fetchKeys(deps: HttpDeps, issuer: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { answer, body } = await requestJson(deps, `${issuer}/.well-known/jwks.json`, {})
  if (!answer.ok) throw errorOf(answer, body)
  return Jwks.parse(body).keys
}

/** Its keys of one use: `log` signs checkpoints, `card` views, `token` access tokens. */
export async function fetchRegistryKeys(issuer: string, use: string, fetch: Fetch = globalThis.fetch) {
  const keys = await fetchKeys({ fetch, clock: waitingClock }, issuerOf(issuer))
  return keys.filter((jwk) => jwk.credence_use === use).map((jwk) => ({ jwk, alg: 'ES256' as const }))
}
