import type { Audit } from '../audit/audit.js'
import type { KeysFor } from '../credentials/jose/jwt.js'
import { refuse } from '../errors.js'
import { parseForm } from '../http/form.js'
import { json, type Route } from '../http/route.js'
import type { Client } from '../identity/clients/client.js'
import type { AccessTokenClaims } from '../protocol/claims.js'
import { AgentId, audienceOf } from '../protocol/ids.js'
import { stands } from '../protocol/standing.js'
import { type ClientAuthDeps, confirmClient, consumeAssertion, verifyClient } from './client-auth/client-auth.js'
import { findToken } from './find-token.js'
import type { TargetDeps } from './grants/target.js'

export type IntrospectDeps = ClientAuthDeps & Pick<TargetDeps, 'findResource'> & { readonly tokenKeys: KeysFor; readonly audit: Audit }

const INACTIVE = { active: false }

/**
 * Describes a token to its audience, its client, administrators of the client's organisation and the operator.
 * Other callers get `{ active: false }`.
 *
 * @see [RFC 7662 §2](https://www.rfc-editor.org/rfc/rfc7662.html#section-2)
 */
export const introspectEndpoint = (deps: IntrospectDeps): Route => ({
  method: 'POST',
  path: '/oauth/introspect',
  endpoint: async (request) => {
    const form = parseForm(request)
    const verified = await verifyClient(deps, request, form)
    const consumed = consumeAssertion(deps, verified, request)
    const claims = await deps.trustLog.afterBarrier(
      undefined,
      async ({ now }) => {
        const { client } = await confirmClient(deps, verified, await consumed)
        const token = form.get('token') ?? refuse('invalid_request', 'token is missing')
        const claims = await activeClaims(deps, client, token, now)
        await deps.audit.record({
          orgId: client.orgId,
          actor: client.id,
          action: 'oauth.introspect',
          outcome: 'done',
          ...(claims && { tokenId: claims.jti }),
          facts: { active: claims !== undefined },
        })
        return claims
      },
      consumed,
    )
    return json(200, claims ? responseOf(claims) : INACTIVE)
  },
})

async function activeClaims(deps: IntrospectDeps, client: Client, token: string, now: number): Promise<AccessTokenClaims | undefined> {
  const verified = await findToken(deps, token, now)
  if (!verified || !(await maySee(deps, client, verified.claims))) return undefined
  const { claims, dependsOn } = verified
  return stands(deps.trustLog.ended, dependsOn) ? claims : undefined
}

async function maySee({ issuer, findResource }: IntrospectDeps, client: Client, claims: AccessTokenClaims): Promise<boolean> {
  const agent = AgentId.safeParse(client.id)
  if (claims.client_id === client.id) return true
  if (agent.success)
    return claims.aud === audienceOf(issuer, agent.data) || (await findResource(claims.aud))?.resource.operatorAgentId === agent.data
  return client.role === 'operator' || (client.role === 'administrator' && client.orgId === claims.organization_id)
}

/** `standing` is left out, because a caller of introspection does not check handles itself. */
function responseOf({ standing: _, ...claims }: AccessTokenClaims) {
  return { active: true, token_type: claims.cnf ? 'DPoP' : 'Bearer', ...claims }
}
