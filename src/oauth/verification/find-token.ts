import type { KeysFor } from '../../credentials/jose/jwt.js'
import { verifyAccessToken } from '../../credentials/jose/token-types.js'
import type { ResourceAudience } from '../../delegation/resources/find.js'
import { isRefusal } from '../../errors.js'
import { type Caller, mayOversee } from '../../http/caller.js'
import { type AccessTokenClaims, handlesOf, presenterOf } from '../../protocol/claims.js'
import type { Handle } from '../../protocol/handles.js'
import { AgentId, audienceOf } from '../../protocol/ids.js'

interface FoundToken {
  readonly claims: AccessTokenClaims
  /** Every handle that the token depends on. The caller checks that they stand. */
  readonly dependsOn: readonly Handle[]
}

export interface AudienceDeps {
  readonly issuer: string
  readonly findResource: (uri: string) => Promise<ResourceAudience | undefined>
}

/** A caller to whom a token is described. */
export type Viewer = Pick<Caller, 'id' | 'kind' | 'orgId' | 'role'>

/** True for the token's audience and client, administrators of the client's organisation and operators. */
export async function mayInspect(
  deps: AudienceDeps,
  viewer: Viewer,
  claims: Pick<AccessTokenClaims, 'aud' | 'act' | 'sub' | 'organization_id' | 'standing'>,
): Promise<boolean> {
  return presenterOf(claims) === viewer.id || mayOversee(viewer, claims.organization_id) || isAudience(deps, viewer, claims)
}

/** True for the agent that the token is for, and for the agent under which the server of its resource works; not for that of a later resource of the URI. */
export async function isAudience(
  { issuer, findResource }: AudienceDeps,
  viewer: Viewer,
  { aud, standing }: Pick<AccessTokenClaims, 'aud'> & { readonly standing: Pick<AccessTokenClaims['standing'], 'dependsOn'> },
): Promise<boolean> {
  const agent = AgentId.safeParse(viewer.id)
  if (!agent.success) return false
  if (aud === audienceOf(issuer, agent.data)) return true
  const resource = (await findResource(aud))?.resource
  return resource?.operatorAgentId === agent.data && standing.dependsOn.includes(resource.handle)
}

/** Verifies an access token of this registry. Returns undefined, without a reason, for a text that is not a valid token or has expired. */
export async function findToken(
  { tokenKeys, issuer }: { readonly tokenKeys: KeysFor; readonly issuer: string },
  token: string,
  now: number,
): Promise<FoundToken | undefined> {
  try {
    const { claims, kid } = await verifyAccessToken(token, tokenKeys, { issuer, now })
    return { claims, dependsOn: handlesOf(claims, kid) }
  } catch (error) {
    // Any other refusal, such as `unavailable` if the keys cannot be read, says nothing about the token.
    if (isRefusal(error) && error.reason === 'invalid_token') return undefined
    throw error
  }
}
