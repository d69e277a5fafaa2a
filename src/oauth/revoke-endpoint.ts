import { refuse } from '../errors.js'
import { parseForm } from '../http/form.js'
import { json, type Route } from '../http/route.js'
import { presenterOf } from '../protocol/claims.js'
import { EndNote, EndReason } from '../protocol/end-reason.js'
import { authenticateClient, type ClientAuthDeps } from './client-auth/client-auth.js'
import { type FamilyDeps, revokeFamily } from './families/use.js'
import { parseParameter } from './grants/narrowing.js'
import { endTokenAndTasks, type RevokeTokenDeps, TaskChain } from './revoke.js'
import { findToken } from './verification/find-token.js'

export type RevokeDeps = ClientAuthDeps & FamilyDeps & Omit<RevokeTokenDeps, 'tokens'>

/**
 * Revokes a token of the authenticated client and every token that came from it, also a refresh token with its family. An unknown, foreign or expired token gets the same response.
 * `reason`, `note` and `affected_task_chain`, tasks that end with the token, are parameters of this registry.
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
    const taskIds = parseParameter(form, 'affected_task_chain', TaskChain, true)
    if (taskIds === undefined && (await revokeFamily(deps, client, token, { reason, note }))) return json(200, {})
    const claims = (await findToken(deps, token, now))?.claims
    const own = claims && presenterOf(claims) === client.id ? { id: claims.jti, expiresAt: claims.exp } : undefined
    const draft = {
      orgId: client.orgId,
      actor: client.id,
      action: 'oauth.revoke',
      outcome: 'done',
      ...(own && { tokenId: own.id }),
    } as const
    await endTokenAndTasks(deps, client, { token: own, taskIds: taskIds ?? [], because: { reason, note }, draft }, now)
    return json(200, taskIds ? { revoked: own !== undefined, affected_tasks_terminated: true } : {})
  },
})
