import { refuse } from '../../../errors.js'
import { type Caller, isMemberOf } from '../../../http/caller.js'
import type { Handle } from '../../../protocol/handles.js'
import { AgentId, Audience, type OrgId } from '../../../protocol/ids.js'
import { coveredBySome, scopesFor } from '../../../protocol/rights.js'
import { stands } from '../../../protocol/standing.js'
import type { IntroductionDeps } from '../introduction-deps.js'

/** The agent that an introduction is requested for. */
export interface IntroductionRequester {
  readonly id: AgentId
  readonly orgId: OrgId
  /** The handles of the caller, and of the agent if a member requests for it: if one of them ends, the request is refused. */
  readonly dependsOn: readonly Handle[]
  /** The identities of a member that requests for the agent. If its key was compromised, what it was granted at once is revoked. */
  readonly grantedBy: readonly Handle[]
}

const OWN_SCOPE = 'introductions:write'

/**
 * Returns the calling agent, or the agent `from` for which a member of its organisation asks. The member gets no more than the agent itself would: the agent
 * must stand, and its ceiling must let it request introductions. An agent of another organisation gets the same refusal as an unknown id.
 */
export async function requireRequester(
  deps: Pick<IntroductionDeps, 'clients' | 'trustLog' | 'issuer'>,
  caller: Caller,
  from: AgentId | undefined,
): Promise<IntroductionRequester> {
  const own = AgentId.safeParse(caller.id)
  if (own.success) {
    if (from !== undefined && from !== own.data) refuse('forbidden', 'an agent requests introductions for itself only: leave out `from`')
    return { id: own.data, orgId: caller.orgId, dependsOn: caller.dependencies.handles, grantedBy: [] }
  }
  if (from === undefined)
    return refuse('forbidden', 'only an agent can request an introduction; a member names an agent of its organisation with `from`')
  if (!isMemberOf(caller, caller.orgId)) return refuse('forbidden', `the role ${caller.role} may not request introductions for an agent`)
  const agent = await deps.clients.find(from)
  if (!agent || !isMemberOf(caller, agent.orgId)) return refuse('not_found', 'no such agent')
  if (!stands(deps.trustLog.ended, agent.dependencies.handles)) refuse('forbidden', 'the agent is suspended or revoked')
  if (!coveredBySome(scopesFor(agent.ceiling.rights, Audience.parse(deps.issuer)), OWN_SCOPE))
    refuse('forbidden', `the permission ceiling of the agent lacks ${OWN_SCOPE} at the registry`)
  const dependsOn = [...caller.dependencies.handles, ...agent.dependencies.handles]
  return { id: from, orgId: agent.orgId, dependsOn, grantedBy: caller.identities }
}
