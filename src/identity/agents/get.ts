import type { FindHistory, HistoryView } from '../../audit/history.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { Handle } from '../../protocol/handles.js'
import { type AgentId, type Audience, audienceOf, type ClientUri, type MemberId, type OrgId } from '../../protocol/ids.js'
import type { IntroductionPolicy } from '../../protocol/introduction-policy.js'
import type { Ceiling, Restrictions } from '../../protocol/rights.js'
import { findAdmission } from '../clients/admissions.js'
import { readDeviceBounds } from '../clients/device-agent.js'
import { findRegisteredKeys } from '../keys/find.js'
import { findNamed } from '../names/agent-names.js'
import { type AgentsDeps, requireAgent } from './authority.js'
import { lastEnding } from './end-agent.js'
import type { Agent } from './store.js'

export const AGENT_STATES = ['registered', 'active', 'suspended', 'revoked'] as const

/** An agent in the responses of `agents.get` and `agents.list`. */
export interface AgentView extends Partial<HistoryView> {
  readonly agentId: AgentId
  readonly orgId: OrgId
  readonly name: string
  readonly description?: string | undefined
  readonly agentType?: string | undefined
  /** The scope level that bounds the ceiling. */
  readonly maxScopeLevel?: string
  readonly audience: Audience
  /** `registered`: the agent has no active key. */
  readonly state: (typeof AGENT_STATES)[number]
  readonly parent?: AgentId | undefined
  /** The person on whose device it runs, and for whom alone it acts. */
  readonly memberId?: MemberId
  readonly ceiling: Ceiling
  readonly introductionPolicy: IntroductionPolicy
  /** Restrictions of tokens for it that its server enforces. */
  readonly understands?: Restrictions | undefined
  readonly registeredAt: number
  readonly redirectUris?: readonly string[] | undefined
  /** The `client_id`, if it is the URL of the agent's metadata. */
  readonly clientUri?: ClientUri | undefined
  readonly handles: readonly Handle[]
  /** When the last of its keys retires (epoch seconds), if all of them do: then it can no longer authenticate. */
  readonly keysRetireAt?: number
}

/** An agent by its id, or by its name in an organisation (default: that of the caller). */
interface AgentQuery {
  readonly agentId?: AgentId | undefined
  readonly name?: string | undefined
  readonly orgId?: OrgId | undefined
}

/** A name finds the one agent that has, or had, this name or one that looks like it. */
export const getAgent = (deps: AgentsDeps, caller: Caller, { agentId, name = '', orgId = caller.orgId }: AgentQuery): Promise<AgentView> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => {
    const id = agentId ?? (await findNamed(deps, orgId, name)) ?? refuse('not_found', 'no such agent')
    return viewOf(deps, await requireAgent(deps, caller, id, 'see'), deps.audit.history(caller))
  })

/** `state`: if the caller has read it already. */
export async function viewOf(deps: AgentsDeps, agent: Agent, findHistory: FindHistory, state?: AgentStateView): Promise<AgentView> {
  const {
    id,
    orgId,
    name,
    description,
    agentType,
    maxScopeLevel,
    parent,
    memberId,
    ceiling,
    introductionPolicy,
    understands,
    createdAt,
    clientUri,
    redirectUris,
  } = agent
  const audience = audienceOf(deps.issuer, id)
  return {
    agentId: id,
    orgId,
    name,
    ...(description !== undefined && { description }),
    ...(agentType !== undefined && { agentType }),
    ...(maxScopeLevel !== undefined && { maxScopeLevel }),
    audience,
    ...(state ?? (await stateOf(deps, agent))),
    parent,
    ...(memberId && { memberId }),
    ceiling,
    introductionPolicy,
    ...(understands && { understands }),
    registeredAt: createdAt,
    ...(clientUri && { clientUri }),
    ...(redirectUris && { redirectUris }),
    handles: [agent.handle],
    ...(deps.trustLog.ended.has(agent.handle) && (await findHistory([agent.handle]))),
  }
}

export type AgentStateView = Pick<AgentView, 'state' | 'keysRetireAt'>

export async function stateOf(deps: AgentsDeps, agent: Agent): Promise<AgentStateView> {
  if (deps.trustLog.ended.has(agent.handle)) return { state: lastEnding(agent).state === 'revoked' ? 'revoked' : 'suspended' }
  if ((await findAdmission(deps, agent))?.confirmedAt !== undefined) return { state: 'active' }
  if (agent.memberId && !(await readDeviceBounds(deps, agent, agent.memberId))) return { state: 'revoked' }
  const standing = (await findRegisteredKeys(deps, agent.id)).filter((key) => !deps.trustLog.ended.has(key.handle))
  if (standing.length === 0) return { state: 'registered' }
  const retire = standing.filter(({ use }) => use === 'client').map(({ retiresAt }) => retiresAt ?? Number.POSITIVE_INFINITY)
  const keysRetireAt = Math.max(...retire)
  return { state: 'active', ...(Number.isFinite(keysRetireAt) && { keysRetireAt }) }
}
