import type { Audit } from '../audit/audit.js'
import type { KeysFor } from '../credentials/jose/jwt.js'
import { refuse } from '../errors.js'
import { type OAuthForm, parseForm } from '../http/form.js'
import { type RateLimits, requireVerificationRate } from '../http/limits/rate-limit.js'
import { json, type Route } from '../http/route.js'
import type { Client } from '../identity/clients/client.js'
import type { AccessTokenClaims } from '../protocol/claims.js'
import { stands } from '../protocol/standing.js'
import { type ClientAuthDeps, confirmClient, consumeAssertion, verifyClient } from './client-auth/client-auth.js'
import { type AudienceDeps, findToken, mayInspect } from './verification/find-token.js'
import { type SignedIntrospectionDeps, signedResponse, wantsSigned } from './verification/signed-introspection.js'
import { type TaskHistoryDeps, taskHistoryOf } from './verification/task-history.js'

export type IntrospectDeps = ClientAuthDeps &
  AudienceDeps &
  TaskHistoryDeps &
  SignedIntrospectionDeps & {
    readonly tokenKeys: KeysFor
    readonly audit: Audit
    readonly rateLimits: Pick<RateLimits, 'verifications'>
  }

const INACTIVE = { active: false }

/**
 * Describes a token to its audience, its client, administrators of the client's organisation and the operator.
 * Other callers get `{ active: false }`. The response is JSON, or a signed JWT if the request accepts one. `include_task_history` adds what the token is
 * used for.
 *
 * @see [RFC 7662 §2](https://www.rfc-editor.org/rfc/rfc7662.html#section-2), [RFC 9701 §4](https://www.rfc-editor.org/rfc/rfc9701.html#section-4)
 */
export const introspectEndpoint = (deps: IntrospectDeps): Route => ({
  method: 'POST',
  path: '/oauth/introspect',
  endpoint: async (request) => {
    const form = parseForm(request)
    const verified = await verifyClient(deps, request, form)
    const consume = async () => {
      const isFirstUse = await consumeAssertion(deps, verified, request)
      // A replayed assertion may come from a thief
      if (isFirstUse) requireVerificationRate(deps.rateLimits, verified.client)
      return isFirstUse
    }
    const consumed = consume()
    return deps.trustLog.afterBarrier(
      undefined,
      async ({ now }) => {
        const { client } = await confirmClient(deps, verified, await consumed)
        const token = form.get('token') ?? refuse('invalid_request', 'token is missing')
        const withHistory = wantsHistory(form)
        const claims = await activeClaims(deps, client, token, now)
        const response = claims
          ? { ...responseOf(claims), ...(withHistory && { task_history: await taskHistoryOf(deps, client, claims, now) }) }
          : INACTIVE
        const isSigned = wantsSigned(request.headers.accept)
        const result = isSigned ? await signedResponse(deps, client.id, now, response) : json(200, response)
        await deps.audit.record({
          orgId: client.orgId,
          actor: client.id,
          action: 'oauth.introspect',
          outcome: 'done',
          ...(claims && { tokenId: claims.jti }),
          facts: { active: claims !== undefined, ...(isSigned && { signed: true }), ...(withHistory && { taskHistory: true }) },
        })
        return result
      },
      consumed,
    )
  },
})

function wantsHistory(form: OAuthForm): boolean {
  const value = form.get('include_task_history') ?? 'false'
  return value === 'true' || value === 'false' ? value === 'true' : refuse('invalid_request', 'include_task_history must be true or false')
}

async function activeClaims(deps: IntrospectDeps, client: Client, token: string, now: number): Promise<AccessTokenClaims | undefined> {
  const found = await findToken(deps, token, now)
  if (!found || !(await mayInspect(deps, client, found.claims))) return undefined
  return stands(deps.trustLog.ended, found.dependsOn) ? found.claims : undefined
}

/** `standing` is left out, because a caller of introspection does not check handles itself. */
function responseOf({ standing: _, ...claims }: AccessTokenClaims) {
  return { active: true, token_type: claims.cnf ? 'DPoP' : 'Bearer', ...claims }
}
