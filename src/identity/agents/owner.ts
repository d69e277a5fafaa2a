import { AgentId, type ClientUri, OrgId } from '../../protocol/ids.js'
import type { KeyOwner } from '../../protocol/key-statement.js'
import type { MembersStore } from '../members/store.js'
import type { OrganisationsStore } from '../organisations/store.js'
import type { AgentsStore } from './store.js'

interface FindOwnerDeps {
  readonly organisations: OrganisationsStore
  readonly agents: AgentsStore
  readonly members: MembersStore
}

/** Returns the organisation that a key owner belongs to; for an organisation, its own id. Undefined for an unknown owner. */
export async function orgOfOwner({ organisations, agents, members }: FindOwnerDeps, owner: KeyOwner): Promise<OrgId | undefined> {
  const organisation = OrgId.safeParse(owner)
  if (organisation.success) return (await organisations.get(organisation.data))?.id
  const agent = AgentId.safeParse(owner)
  return (agent.success ? await agents.get(agent.data) : await members.get(owner))?.orgId
}

/** The URL with which the agent authenticates, if it was admitted by one. */
export async function clientUriOf({ agents }: Pick<FindOwnerDeps, 'agents'>, owner: KeyOwner): Promise<ClientUri | undefined> {
  const agent = AgentId.safeParse(owner)
  return agent.success ? (await agents.get(agent.data))?.clientUri : undefined
}
