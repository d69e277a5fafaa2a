// Fetches a Client ID Metadata Document, and the keys that it names, with the guarded fetch.
import { readPublicJwk } from '../../credentials/jose/jwk.js'
import { refuse } from '../../errors.js'
import type { ClientMetadata } from '../../identity/clients/metadata/metadata.js'
import type { Cause, GuardedFetch } from '../../lib/guarded-fetch/guarded-fetch.js'
import { isJsonObject, type JsonObject, readJson } from '../../lib/json.js'
import type { ClientUri } from '../../protocol/ids.js'
import { readClientUri } from './client-uri.js'
import { readMetadata, refuseMember } from './read-metadata.js'

export interface FetchedDocument {
  /** With the keys of `jwks_uri` as `jwks`. */
  readonly metadata: ClientMetadata
  readonly freshSeconds: number
}

const MAX_DEPTH = 8
const MAX_KEYS = 16
/** Bounds of `max-age`, which is also the default. */
const MIN_FRESH_SECONDS = 300
const MAX_FRESH_SECONDS = 86_400

/**
 * Refuses with the reasons of the guarded fetch, and with those of client metadata for a document that breaks a rule.
 *
 * @see draft-ietf-oauth-client-id-metadata-document §4, §5
 */
export async function fetchClientDocument(
  { guardedFetch }: { readonly guardedFetch: GuardedFetch },
  uri: ClientUri,
  cause: Cause,
): Promise<FetchedDocument> {
  const response = await guardedFetch({ url: uri, purpose: 'client-document', cause })
  const document = jsonOf(response)
  // §4.1: simple string comparison
  if (document.client_id !== uri) refuseMember('/client_id', 'must be the URL of the document')
  const metadata = await readMetadata(document, { mayFetchKeys: true })
  const { jwks_uri: keysUri } = metadata
  const keys = keysUri === undefined ? undefined : await fetchKeys(guardedFetch, keysUri, cause)
  return { metadata: keys ? { ...metadata, jwks: { keys } } : metadata, freshSeconds: freshSecondsOf(response.cacheControl) }
}

/** The document of a client that a member names. */
export async function fetchDocumentFor(
  deps: { readonly guardedFetch: GuardedFetch; readonly issuer: string; readonly dev: boolean },
  clientId: string,
  { id, orgId }: { readonly id: string; readonly orgId: string },
): Promise<FetchedDocument & { readonly uri: ClientUri }> {
  const read = readClientUri(clientId, deps)
  if (typeof read === 'string') return refuse('bad_input', `clientId: ${read}`, { faults: [{ pointer: '/clientId', hint: read }] })
  return { ...read, ...(await fetchClientDocument(deps, read.uri, { id, orgId })) }
}

/** Keys that cannot verify a signature here are ignored (RFC 7517 §5); a set with a private key is refused. */
async function fetchKeys(guardedFetch: GuardedFetch, url: string, cause: Cause): Promise<NonNullable<ClientMetadata['jwks']>['keys']> {
  const { keys } = jsonOf(await guardedFetch({ url, purpose: 'client-keys', cause }))
  const listed = Array.isArray(keys) ? keys.filter(isJsonObject) : []
  if (listed.some((key) => Object.hasOwn(key, 'd') || Object.hasOwn(key, 'k'))) refuseMember('/jwks_uri', 'must name public keys only')
  const usable = listed.flatMap((key) => {
    const parsed = readPublicJwk(key)
    if (typeof parsed === 'string') return []
    return [{ ...parsed.jwk, alg: parsed.alg, ...(typeof key.kid === 'string' && key.kid !== '' && { kid: key.kid.slice(0, 256) }) }]
  })
  return usable.length > 0 ? usable.slice(0, MAX_KEYS) : refuseMember('/jwks_uri', 'must name a set with a public signing key')
}

function jsonOf({ body, contentType }: { readonly body: Uint8Array; readonly contentType: string }): JsonObject {
  const [mediaType = ''] = contentType.split(';')
  if (!/^application\/([\w.-]+\+)?json$/i.test(mediaType.trim())) refuse('fetch_failed', 'the response is not application/json')
  const read = readJson(body, { maxDepth: MAX_DEPTH })
  return 'value' in read && isJsonObject(read.value) ? read.value : refuse('fetch_failed', 'the response is not a JSON object')
}

function freshSecondsOf(cacheControl: string): number {
  const seconds = Number(/(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/i.exec(cacheControl)?.[1] ?? MIN_FRESH_SECONDS)
  return Math.min(Math.max(seconds, MIN_FRESH_SECONDS), MAX_FRESH_SECONDS)
}
