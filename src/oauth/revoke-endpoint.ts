import type { Audit } from '../audit/audit.js'
import type { KeysFor } from '../credentials/jose/jwt.js'
import { refuse } from '../errors.js'
import { parseForm } from '../http/form.js'
import { json, type Route } from '../http/route.js'
import { EndNote, EndReason } from '../protocol/end-reason.js'
import { handleOfToken } from '../protocol/handles.js'
import { authenticateClient, type ClientAuthDeps } from './client-auth/client-auth.js'
import { findToken } from './find-token.js'
import { parseParameter } from './grants/narrowing.js'
import { endingOfToken } from './revoke.js'

export type RevokeDeps = ClientAuthDeps & { readonly tokenKeys: KeysFor; readonly audit: Audit }

/**
 * Revokes a token of the authenticated client and every token that came from it. An unknown, foreign or expired token gets the same response.
 * `reason` and `note` are parameters of this registry.
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
    const reason = parseParameter(form, 'reason', EndReason, false) ?? 'unspecified'
    const note = parseParameter(form, 'note', EndNote, false)
    const claims = (await findToken(deps, token, now))?.claims
    if (claims?.client_id === client.id && !deps.trustLog.ended.has(handleOfToken(claims.jti))) {
      const ends = [endingOfToken({ id: claims.jti, expiresAt: claims.exp })]
      const row = { orgId: client.orgId, actor: client.id, action: 'oauth.revoke', outcome: 'done', tokenId: claims.jti } as const
      await deps.trustLog.end({ type: 'token.revoked', ends, operations: deps.audit.recordingEnd(row, { ends, reason, note }) })
    }
    return json(200, {})
  },
})
