import { z } from 'zod'
import { SIGNATURE_ALGORITHMS } from '../../../lib/algorithms.js'
import { DEVICE_CODE, TOKEN_EXCHANGE } from '../../../protocol/grant-types.js'

/** The grant types that a client may register. */
export const GrantType = z.enum(['authorization_code', 'refresh_token', 'client_credentials', TOKEN_EXCHANGE, DEVICE_CODE])
export type GrantType = z.infer<typeof GrantType>

/** A public key of a client, as its metadata lists it. */
const ClientJwk = z.looseObject({
  kty: z.string().max(8),
  kid: z.string().min(1).max(256).optional(),
  alg: z.enum(SIGNATURE_ALGORITHMS).optional(),
})

/** Metadata of a client after the rules of `oauth/registration/read-metadata.ts`, in the spelling of RFC 7591 §2. */
export const ClientMetadata = z.strictObject({
  redirect_uris: z.array(z.string().max(2048)).max(16).optional(),
  token_endpoint_auth_method: z.enum(['private_key_jwt', 'none']),
  token_endpoint_auth_signing_alg: z.enum(SIGNATURE_ALGORITHMS).optional(),
  grant_types: z.array(GrantType).min(1).max(5),
  response_types: z.array(z.literal('code')).max(1),
  client_name: z.string().min(1).max(128).optional(),
  client_uri: z.string().max(2048).optional(),
  scope: z.string().min(1).max(4096).optional(),
  contacts: z.array(z.string().max(256)).max(8).optional(),
  jwks: z.strictObject({ keys: z.array(ClientJwk).min(1).max(16) }).optional(),
  jwks_uri: z.string().max(2048).optional(),
  software_id: z.string().max(256).optional(),
  software_version: z.string().max(256).optional(),
})
export type ClientMetadata = z.infer<typeof ClientMetadata>

/** The part of the metadata that decides how a client asks people. */
export const askingPartOf = ({ redirect_uris: redirectUris, client_name: name, token_endpoint_auth_method: method }: ClientMetadata) => ({
  ...(redirectUris && { redirectUris }),
  ...(name !== undefined && { name }),
  isPublic: method === 'none',
})
