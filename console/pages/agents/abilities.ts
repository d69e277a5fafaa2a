import type { Output } from '../../api/procedures.js'
import type { Viewer } from '../../api/viewer.js'

export type AgentView = Output<'agents.get'>

/** What the page offers to the viewer. The registry decides again at each call. */
export interface Abilities {
  /** The name, the introduction policy, a narrower ceiling, a first scope level. */
  readonly mayChange: boolean
  /** A wider ceiling, another scope level, codes and keys. */
  readonly mayAdminister: boolean
  /** Retire, revoke and withdraw what gives the agent access. */
  readonly mayOversee: boolean
  readonly mayRevoke: boolean
  readonly mayReinstate: boolean
  /** Tokens, keys and risk. A person sees the agent, and none of these. */
  readonly maySeeActivity: boolean
}

export function abilitiesOf({ role, orgId, id }: Viewer, agent: AgentView): Abilities {
  const isOfOrganisation = agent.orgId === orgId && role !== 'person'
  const isAdministrator = isOfOrganisation && (role === 'administrator' || role === 'operator')
  const mayOversee = isAdministrator || role === 'operator'
  return {
    mayChange: isOfOrganisation,
    mayAdminister: isAdministrator,
    mayOversee,
    mayRevoke: mayOversee || role === 'person' || agent.memberId === id,
    mayReinstate: isOfOrganisation || role === 'operator' || role === 'person',
    maySeeActivity: role !== 'person',
  }
}

/** A name for the profile on the machine of the agent: nothing that a shell would read otherwise. */
export const profileNameOf = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 32) || 'agent'
