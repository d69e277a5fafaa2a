// The server to compare with: oidc-provider with its in-memory adapter, private_key_jwt, DPoP and signed access tokens.
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import Provider from 'oidc-provider'
import { optionsOf, serveCalls } from '../lib/child.js'

const { clientId, jwk } = optionsOf()
const server = createServer().listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: clientId,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'private_key_jwt',
        id_token_signed_response_alg: 'ES256',
        jwks: { keys: [{ ...jwk, use: 'sig', alg: 'ES256' }] },
      },
    ],
    jwks: {
      keys: [
        {
          ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
          use: 'sig',
          alg: 'ES256',
          kid: 'bench',
        },
      ],
    },
    clientAuthMethods: ['private_key_jwt'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'urn:bench:resource',
        getResourceServerInfo: () => ({
          scope: 'read',
          accessTokenFormat: 'jwt',
          accessTokenTTL: 900,
          jwt: { sign: { alg: 'ES256', kid: 'bench' } },
        }),
      },
    },
  })
  for (const event of ['server_error', 'grant.error']) provider.on(event, (_context, error) => console.error(error.error_detail ?? error))
  server.on('request', provider.callback())
  serveCalls({ issuer })
})
