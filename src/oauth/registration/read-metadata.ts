// Reads the metadata that a client sends (RFC 7591 §2) or publishes (Client ID Metadata Document). Unknown members are ignored; a known one that the
// registry cannot serve is refused, so that no client believes that it has what it does not have. `logo_uri` is never fetched or shown.
import { z } from 'zod'
import { readPublicJwk } from '../../credentials/jose/jwk.js'
import { loadKey } from '../../credentials/jose/load-key.js'
import { type Reason, refuse } from '../../errors.js'
import { ClientMetadata, GrantType } from '../../identity/clients/metadata/metadata.js'
import { redirectUriFault } from '../../identity/clients/metadata/redirect-uris.js'
import { SIGNATURE_ALGORITHMS } from '../../lib/algorithms.js'
import { isJsonObject, type JsonObject } from '../../lib/json.js'
import { DEVICE_CODE, TOKEN_EXCHANGE } from '../../protocol/grant-types.js'
import { faultsOf, textOfIssues } from '../../protocol/input-faults.js'
import { parseScope } from '../../protocol/rights.js'

/** What one way of registration allows. */
interface MetadataRules {
  /** Default: every grant type. */
  readonly grantTypes?: readonly GrantType[] | undefined
  /** Default: every host. */
  readonly redirectHosts?: readonly string[] | undefined
  /** True if the registry can fetch the keys of the client. */
  readonly mayFetchKeys: boolean
}

const Text = z.string().min(1).max(256)
const Submitted = z.object({
  redirect_uris: z.array(z.string()).optional(),
  token_endpoint_auth_method: z.string().optional(),
  token_endpoint_auth_signing_alg: z.enum(SIGNATURE_ALGORITHMS).optional(),
  grant_types: z.array(z.string()).min(1).max(16).default(['authorization_code']),
  response_types: z.array(z.string()).max(16).optional(),
  client_name: z.string().trim().min(1).max(128).optional(),
  client_uri: z.string().max(2048).optional(),
  scope: z.string().max(4096).optional(),
  contacts: z.array(Text).max(8).optional(),
  jwks: z.object({ keys: z.array(z.unknown()).min(1).max(16) }).optional(),
  jwks_uri: z.string().max(2048).optional(),
  software_id: Text.optional(),
  software_version: Text.optional(),
})
type Submitted = z.infer<typeof Submitted>

/** The grant types that need an authenticated client. */
const AUTHENTICATED: readonly GrantType[] = ['client_credentials', TOKEN_EXCHANGE]

/** Grant types with which a client acts for an organisation of the registry, so it has to be an agent. */
export const actsAlone = ({ grant_types: types }: Pick<ClientMetadata, 'grant_types'>): boolean =>
  types.some((type) => AUTHENTICATED.includes(type))

export async function readMetadata(value: unknown, rules: MetadataRules): Promise<ClientMetadata> {
  if (!isJsonObject(value)) return refuseMember('', 'must be a JSON object')
  requireNothingUnsupported(value)
  const parsed = Submitted.safeParse(value)
  if (!parsed.success)
    return refuse('invalid_client_metadata', textOfIssues(parsed.error.issues), { faults: faultsOf(parsed.error.issues) })
  const { grant_types: _, response_types: __, token_endpoint_auth_method: ___, redirect_uris, jwks, ...texts } = parsed.data
  const grantTypes = requireGrantTypes(parsed.data, rules)
  const hasCode = grantTypes.includes('authorization_code')
  const method = requireAuthMethod(parsed.data, grantTypes)
  requireTexts(texts)
  const redirectUris = requireRedirectUris(redirect_uris ?? [], hasCode, rules.redirectHosts)
  const keys = jwks && (await requireKeys(jwks.keys, texts.token_endpoint_auth_signing_alg))
  if (method === 'private_key_jwt') requireOneSourceOfKeys(parsed.data, rules)
  return ClientMetadata.parse({
    ...texts,
    ...(redirectUris.length > 0 && { redirect_uris: redirectUris }),
    token_endpoint_auth_method: method,
    grant_types: grantTypes,
    response_types: hasCode ? ['code'] : [],
    ...(keys && { jwks: { keys } }),
  })
}

function requireNothingUnsupported(value: JsonObject): void {
  if (value.software_statement !== undefined)
    refuse('invalid_software_statement', 'software statements are not supported: leave out software_statement', {
      faults: [{ pointer: '/software_statement', hint: 'leave it out' }],
    })
  const secret = Object.keys(value).find((name) => name.startsWith('client_secret'))
  if (secret !== undefined)
    refuseMember('/client_secret', 'there are no client secrets: send public keys in `jwks` and use private_key_jwt')
}

function requireGrantTypes({ grant_types: submitted, response_types: responseTypes }: Submitted, rules: MetadataRules): GrantType[] {
  const grantTypes = submitted.map((type, i) => {
    const known = GrantType.safeParse(type)
    return known.success ? known.data : refuseMember(`/grant_types/${i}`, `must be one of ${GrantType.options.join(', ')}`)
  })
  if (new Set(grantTypes).size < grantTypes.length) refuseMember('/grant_types', 'a grant type is repeated')
  const { grantTypes: allowed } = rules
  const wider = allowed && grantTypes.findIndex((type) => !allowed.includes(type))
  if (wider !== undefined && wider >= 0) refuseMember(`/grant_types/${wider}`, `must be one of ${allowed?.join(', ')}`)
  if (grantTypes.includes('refresh_token') && !grantTypes.includes('authorization_code') && !grantTypes.includes(DEVICE_CODE))
    refuseMember('/grant_types', `refresh_token needs authorization_code or ${DEVICE_CODE}`)
  const fitting = grantTypes.includes('authorization_code') ? 'code' : ''
  if (responseTypes !== undefined && responseTypes.join(' ') !== fitting)
    refuseMember('/response_types', 'must be ["code"] with the grant type authorization_code, and [] without it')
  return grantTypes
}

function requireAuthMethod(
  { token_endpoint_auth_method: method = 'none' }: Submitted,
  grantTypes: readonly GrantType[],
): ClientMetadata['token_endpoint_auth_method'] {
  if (method !== 'private_key_jwt' && method !== 'none')
    return refuseMember('/token_endpoint_auth_method', 'must be private_key_jwt, or none for a public client')
  if (method === 'none' && actsAlone({ grant_types: [...grantTypes] }))
    return refuseMember('/token_endpoint_auth_method', `must be private_key_jwt with the grant types ${AUTHENTICATED.join(' and ')}`)
  return method
}

function requireTexts({ client_uri: clientUri, scope }: Pick<Submitted, 'client_uri' | 'scope'>): void {
  if (clientUri !== undefined && !(clientUri.startsWith('https://') && URL.canParse(clientUri)))
    refuseMember('/client_uri', 'must be an https URL')
  if (scope !== undefined && parseScope(scope) === undefined)
    refuseMember('/scope', 'must be different scopes, separated by one space each')
}

const MAX_REDIRECT_URIS = 16

function requireRedirectUris(uris: readonly string[], hasCode: boolean, hosts: readonly string[] | undefined): readonly string[] {
  const refuseUri = (pointer: string, hint: string): never =>
    refuse('invalid_redirect_uri', `${pointer.slice(1).replaceAll('/', '.')}: ${hint}`, { faults: [{ pointer, hint }] })
  if (uris.length > MAX_REDIRECT_URIS) refuseUri('/redirect_uris', `must have at most ${MAX_REDIRECT_URIS} elements`)
  if (hasCode && uris.length === 0) refuseUri('/redirect_uris', 'required for the grant type authorization_code')
  uris.forEach((uri, i) => {
    const fault = redirectUriFault(uri, hosts)
    if (fault !== undefined) refuseUri(`/redirect_uris/${i}`, fault)
  })
  return uris
}

/** RFC 7591 §2: `jwks` and `jwks_uri` must not both be present. */
function requireOneSourceOfKeys({ jwks, jwks_uri: uri }: Submitted, { mayFetchKeys }: MetadataRules): void {
  if (uri !== undefined && !mayFetchKeys) refuseMember('/jwks_uri', 'this registry does not fetch keys here: send them in `jwks`')
  if ((jwks === undefined) === (uri === undefined))
    refuseMember('/jwks', mayFetchKeys ? 'send either jwks or jwks_uri' : 'required for private_key_jwt')
}

/** Reads public signing keys, and drops the members that they do not need. No text of a key reaches an error or the log. */
async function requireKeys(
  keys: readonly unknown[],
  alg: (typeof SIGNATURE_ALGORITHMS)[number] | undefined,
  reason: Reason = 'invalid_client_metadata',
): Promise<readonly object[]> {
  const refuseKey = (i: number, hint: string) => refuseMember(`/jwks/keys/${i}`, hint, reason)
  const read = await Promise.all(
    keys.map(async (key, i) => {
      const parsed = readPublicJwk(key, alg ? [alg] : undefined)
      if (typeof parsed === 'string') return refuseKey(i, parsed)
      if ((await loadKey(parsed)) === undefined) return refuseKey(i, 'its point is not on its curve')
      const kid = isJsonObject(key) && typeof key.kid === 'string' && key.kid !== '' && key.kid.length <= 256 ? key.kid : undefined
      return { jkt: parsed.jkt, jwk: { ...parsed.jwk, alg: parsed.alg, ...(kid !== undefined && { kid }) } }
    }),
  )
  read.forEach(({ jkt, jwk }, i) => {
    const others = read.slice(0, i)
    if (others.some((other) => other.jkt === jkt)) refuseKey(i, 'the key is repeated')
    if ('kid' in jwk && others.some((other) => other.jwk.kid === jwk.kid)) refuseKey(i, 'the `kid` is repeated')
  })
  return read.map(({ jwk }) => jwk)
}

export function refuseMember(pointer: string, hint: string, reason: Reason = 'invalid_client_metadata'): never {
  const name = pointer.slice(1).replaceAll('/', '.')
  return refuse(reason, name === '' ? `the metadata ${hint}` : `${name}: ${hint}`, { faults: [{ pointer, hint }] })
}
