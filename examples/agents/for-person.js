// An agent that asks a person for authorization, with openid-client: a pushed request, PKCE, and a code that only the key of the agent redeems.
import * as openid from 'openid-client'

const ES256 = { name: 'ECDSA', namedCurve: 'P-256' }

export async function clientForPeople({ issuer, clientId, privateJwk, redirectUri }) {
  const { d: _, ...publicJwk } = privateJwk
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey('jwk', privateJwk, ES256, false, ['sign']),
    crypto.subtle.importKey('jwk', publicJwk, ES256, true, ['verify']),
  ])
  const authentication = openid.PrivateKeyJwt(privateKey, {
    // The registry accepts only its own identifier as the audience of an assertion
    [openid.modifyAssertion]: (_header, payload) => {
      payload.aud = issuer
    },
  })
  const config = await openid.discovery(new URL(issuer), clientId, undefined, authentication, {
    algorithm: 'oauth2',
    // The registry of the demo is on loopback
    execute: [openid.allowInsecureRequests],
  })
  const DPoP = openid.getDPoPHandle(config, { privateKey, publicKey })
  let checks
  return {
    /** Pushes the request. Returns the URL that the person opens. */
    async ask(parameters) {
      checks = { pkceCodeVerifier: openid.randomPKCECodeVerifier(), expectedState: openid.randomState() }
      const request = new URLSearchParams({
        redirect_uri: redirectUri,
        code_challenge: await openid.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
        code_challenge_method: 'S256',
        state: checks.expectedState,
      })
      for (const [name, value] of Object.entries(parameters)) for (const one of [value].flat()) request.append(name, one)
      return (await openid.buildAuthorizationUrlWithPAR(config, request, { DPoP })).href
    },
    /** Redeems the code with which the browser came back, for a token for one of the resources. `iss` and `state` are checked before. */
    async redeem(url, resource) {
      const { access_token } = await openid.authorizationCodeGrant(config, new URL(url), checks, { resource }, { DPoP })
      return access_token
    },
  }
}
