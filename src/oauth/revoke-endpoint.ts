import { refuse } from '../errors.js'
import { type OAuthForm, parseForm } from '../http/form.js'
import { type HttpRequest, json, type Route } from '../http/route.js'
import { presenterOf } from '../protocol/claims.js'
import { EndNote, EndReason } from '../protocol/end-reason.js'
import { ActorId } from '../protocol/ids.js'
import { authenticateClient, type ClientAuthDeps } from './client-auth/client-auth.js'
import { isPublicRequest, requirePublicClient } from './client-auth/public-client.js'
import { type FamilyDeps, revokeRefreshToken } from './families/use.js'
import { parseParameter } from './grants/narrowing.js'
import { endToken, endTokenAndTasks, type RevokeTokenDeps, TaskChain } from './revoke.js'
import { findToken } from './verification/find-token.js'

export type RevokeDeps = ClientAuthDeps & FamilyDeps & RevokeTokenDeps

/**
 * Revokes a token of the client, which a public client names by its id alone (RFC 7009 §2.1), and every token that came from it, also a refresh token with its family. An unknown, foreign or expired token gets the same response.
 * `reason`, `note` and `affected_task_chain`, tasks that end with the token, are parameters of this registry.
 *
 * @see [RFC 7009 §2](https://www.rfc-editor.org/rfc/rfc7009.html#section-2)
 */
export const revokeEndpoint = (deps: RevokeDeps): Route => ({
  method: 'POST',
  path: '/oauth/revoke',
  endpoint: async (request) => {
    const form = parseForm(request)
    const { client, now } = isPublicRequest(form) ? await publicClient(deps, request, form) : await authenticateClient(deps, request, form)
    const token = form.get('token') ?? refuse('invalid_request', 'token is missing')
    const reason = parseParameter(form, 'reason', EndReason, false) ?? 'unspecified'
    const note = parseParameter(form, 'note', EndNote, false)
    const taskIds = parseParameter(form, 'affected_task_chain', TaskChain, true)
    if (taskIds === undefined && (await revokeRefreshToken(deps, client, token, { reason, note }))) return json(200, {})
    const claims = (await findToken(deps, token, now))?.claims
    const own = claims && presenterOf(claims) === client.id ? { id: claims.jti, expiresAt: claims.exp } : undefined
    const row = { action: 'oauth.revoke', outcome: 'done', ...(own && { tokenId: own.id }) } as const
    if (client.kind === 'external') {
      if (taskIds !== undefined) refuse('invalid_request', 'affected_task_chain: only agents end tasks with a token')
      const record = own && (await deps.tokens.get(own.id))
      const draft = record && { ...row, orgId: record.orgId, actor: ActorId.parse(client.id) }
      if (draft) await endToken(deps, { token: record, because: { reason, note }, draft })
      return json(200, {})
    }
    const draft = { ...row, orgId: client.orgId, actor: client.id }
    await endTokenAndTasks(deps, client, { token: own, taskIds: taskIds ?? [], because: { reason, note }, draft }, now)
    return json(200, taskIds ? { revoked: own !== undefined, affected_tasks_terminated: true } : {})
  },
})

/** A public client proves nothing but that it has the token, which is enough to end it. */
async function publicClient(deps: RevokeDeps, request: HttpRequest, form: OAuthForm) {
  const { now } = await deps.trustLog.readBarrier()
  return { client: await requirePublicClient(deps, request, form), now }
}
