import { digestOfJson } from '../../../credentials/jose/digest.js'
import { readPublicJwk } from '../../../credentials/jose/jwk.js'
import type { Handle } from '../../../protocol/handles.js'
import type { ClientKey } from '../client.js'
import type { RegisteredClient } from '../store.js'
import type { ClientMetadata } from './metadata.js'

/** The keys that a client's metadata list, to authenticate with. Tokens depend on `handle`. A public client has none. */
export const keysOfMetadata = (
  { token_endpoint_auth_method: method, jwks }: Pick<ClientMetadata, 'token_endpoint_auth_method' | 'jwks'>,
  handle: Handle,
): readonly ClientKey[] =>
  (method === 'none' ? [] : (jwks?.keys ?? [])).flatMap((jwk) => {
    const key = readPublicJwk(jwk)
    return typeof key === 'string'
      ? []
      : [
          {
            handle,
            jkt: key.jkt,
            jwk: { ...key.jwk, alg: key.alg, ...(jwk.kid !== undefined && { kid: jwk.kid }) },
            usableUntil: Number.POSITIVE_INFINITY,
          },
        ]
  })

/** The parts of metadata by which people recognise a client. */
export const recognisedIn = ({ client_name: name, redirect_uris: redirectUris, jwks }: ClientMetadata) => ({
  name,
  redirectUris,
  keys: (jwks?.keys ?? []).flatMap((jwk) => {
    const key = readPublicJwk(jwk)
    return typeof key === 'string' ? [] : [key.jkt]
  }),
})

/** The digest that a log entry carries for the metadata of a self-registered client: it commits to the keys, and to the epoch in which they were written. */
export const metadataDigest = ({ id, epoch, metadata }: Pick<RegisteredClient, 'id' | 'epoch' | 'metadata'>): string =>
  digestOfJson({ id, epoch, keys: keysOfMetadata(metadata, epoch).map(({ jkt }) => jkt) })
