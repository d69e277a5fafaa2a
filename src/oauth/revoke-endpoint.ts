import type { Audit } from '../audit/audit.js'
import type { KeysFor } from '../credentials/jose/jwt.js'
import { refuse } from '../errors.js'
import { parseForm } from '../http/form.js'
import { json, type Route } from '../http/route.js'
import { handleOfToken } from '../protocol/handles.js'
import { authenticateClient, type ClientAuthDeps } from './client-auth/client-auth.js'
import { findToken } from './find-token.js'
import { endingOfToken } from './revoke.js'

export type RevokeDeps = ClientAuthDeps & { readonly tokenKeys: KeysFor; readonly audit: Audit }

/**
 * Revokes a token of the authenticated client and every token that came from it. An unknown, foreign or expired token gets the same response.
 *
 * @see [RFC 7009 §2](https://www.rfc-editor.org/rfc/rfc7009.html#section-2)
 */
export const revokeEndpoint = (deps: RevokeDeps): Route => ({
  method: 'POST',
  path: '/oauth/revoke',
  endpoint: async (request) => {
    const form = parseForm(request)
    const { client, now } = await authenticateClient(deps, request, form)
    const token = form.get('token') ?? refuse('invalid_request', 'token is missing')
    const claims = (await findToken(deps, token, now))?.claims
    if (claims?.client_id === client.id && !deps.trustLog.ended.has(handleOfToken(claims.jti))) {
      await deps.trustLog.end({
        type: 'token.revoked',
        ends: [endingOfToken({ id: claims.jti, expiresAt: claims.exp })],
        operations: [
          deps.audit.recording({ orgId: client.orgId, actor: client.id, action: 'oauth.revoke', outcome: 'done', tokenId: claims.jti }),
        ],
      })
    }
    return json(200, {})
  },
})
