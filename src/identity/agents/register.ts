import { auditDraft } from '../../audit/audit-draft.js'
import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import { identitiesOf, newHandle } from '../../protocol/handles.js'
import { AgentId, type Audience, audienceOf, cardBaseUrlOf, newId, type OrgId } from '../../protocol/ids.js'
import type { IntroductionPolicy } from '../../protocol/introduction-policy.js'
import type { Restrictions, Scope } from '../../protocol/rights.js'
import { requireRedirectUris } from '../clients/metadata/redirect-uris.js'
import { requireLevel } from '../levels/find.js'
import { requireReadableName, takingName } from '../names/agent-names.js'
import { type CeilingInput, ceilingOf, MAX_AGENT_DEPTH } from './agent.js'
import type { AgentsDeps } from './authority.js'
import { chainOfAgents, effectiveCeiling } from './find.js'
import type { Agent } from './store.js'

interface RegisterInput {
  /** Absent, or the caller's own organisation. */
  readonly orgId?: OrgId | undefined
  readonly name: string
  readonly description?: string | undefined
  readonly agentType?: string | undefined
  readonly maxScopeLevel?: string | undefined
  readonly ceiling: CeilingInput
  readonly introductionPolicy: IntroductionPolicy
  readonly understands?: Restrictions | undefined
  readonly redirectUris?: readonly string[] | undefined
}

export interface AgentRegistered {
  readonly agentId: AgentId
  readonly audience: Audience
  /** For the card resolver of an A2A SDK. */
  readonly cardBaseUrl: string
  /** The names of all scopes that the agent may request, at the registry and at other audiences. */
  readonly allowedScopes: readonly Scope[]
  /** Returned only here, because only its hash is stored; `agents.confirm` consumes it. */
  readonly registrationToken: string
  readonly expiresAt: number
}

export const REGISTRATION_SECONDS = 86_400
const REGISTRATION_TOKEN_BYTES = 32

/**
 * Registers an agent in the caller's organisation.
 * An agent registers a child agent, whose ceiling is intersected with those of its parents at each use.
 */
export async function registerAgent(deps: AgentsDeps, caller: Caller, input: RegisterInput): Promise<AgentRegistered> {
  const { now } = caller.barrier
  const { orgId } = caller
  requireReadableName(input.name)
  if (input.orgId !== undefined && input.orgId !== orgId) refuse('not_found', 'no such organisation')
  const parent = AgentId.safeParse(caller.id)
  const parents = parent.success ? await chainOfAgents(deps, parent.data) : []
  if (parents.length > MAX_AGENT_DEPTH) refuse('forbidden', `an agent may have at most ${MAX_AGENT_DEPTH} levels of parents`)
  const organisation = (await deps.organisations.get(orgId)) ?? refuse('not_found', 'no such organisation')
  const agent = newAgent(deps.random, {
    orgId,
    name: input.name,
    ...(input.description !== undefined && { description: input.description }),
    ...(input.agentType !== undefined && { agentType: input.agentType }),
    ...(input.maxScopeLevel !== undefined && { maxScopeLevel: input.maxScopeLevel }),
    ...(parent.success && { parent: parent.data }),
    ceiling: ceilingOf(deps.issuer, input.ceiling),
    introductionPolicy: input.introductionPolicy,
    ...(input.understands && { understands: input.understands }),
    ...(input.redirectUris && { redirectUris: requireRedirectUris(input.redirectUris) }),
    grantedBy: [...caller.identities],
    createdAt: now,
  })
  const bound = input.maxScopeLevel === undefined ? undefined : await requireLevel(deps, orgId, input.maxScopeLevel, agent.id)
  const { rights } = await effectiveCeiling(
    deps,
    [agent, ...parents, ...(bound ? [bound] : [])].map(({ ceiling }) => ceiling),
  )
  const allowedScopes = [...new Set(rights.map(({ scope }) => scope))].sort()
  const namingOperations = await takingName(deps, orgId, agent)
  const registrationToken = deps.random.token(REGISTRATION_TOKEN_BYTES)
  const expiresAt = now + REGISTRATION_SECONDS
  const { outcome } = await deps.commitAgent(orgId, (counting) =>
    deps.trustLog.commit({
      type: 'agent.registered',
      dependsOn: [...identitiesOf(caller.dependencies.handles), organisation.handle, ...parents.map(({ handle }) => handle)],
      operations: [
        ...counting,
        deps.agents.inserting(agent),
        ...namingOperations,
        ...(bound ? [bound.using] : []),
        deps.agents.registrations.inserting({
          agentId: agent.id,
          registeredBy: caller.id,
          epoch: deps.trustLog.epoch,
          tokenHash: digestOfText(registrationToken),
          expiresAt,
        }),
        deps.audit.recording(auditDraft(caller, 'agents.register', { orgId, subject: agent.id })),
      ],
    }),
  )
  if (outcome === 'conflict') await takingName(deps, orgId, agent)
  if (outcome !== 'committed')
    refuse(
      'conflict',
      'your access, a parent agent or the organisation was revoked, the name was taken, or the scope level changed, concurrently',
    )
  const audience = audienceOf(deps.issuer, agent.id)
  return { agentId: agent.id, audience, cardBaseUrl: cardBaseUrlOf(audience), allowedScopes, registrationToken, expiresAt }
}

/** A new agent with an id and handles of its own. */
export const newAgent = (
  random: Random,
  terms: Pick<
    Agent,
    | 'orgId'
    | 'name'
    | 'description'
    | 'agentType'
    | 'maxScopeLevel'
    | 'parent'
    | 'memberId'
    | 'ceiling'
    | 'introductionPolicy'
    | 'understands'
    | 'redirectUris'
    | 'grantedBy'
    | 'createdAt'
  >,
): Agent => ({
  id: newId(random, 'agt'),
  handle: newHandle(random, 'agt'),
  ceilingVer: newHandle(random, 'ver'),
  introductionPolicyVer: newHandle(random, 'ver'),
  ...terms,
})
