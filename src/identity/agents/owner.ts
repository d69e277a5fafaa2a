import { AgentId, OrgId } from '../../protocol/ids.js'
import type { KeyOwner } from '../../protocol/key-statement.js'
import type { MembersStore } from '../members/store.js'
import type { OrganisationsStore } from '../organisations/store.js'
import type { AgentsStore } from './store.js'

export interface FindOwnerDeps {
  readonly organisations: OrganisationsStore
  readonly agents: AgentsStore
  readonly members: MembersStore
}

/** The organisation to which an owner of keys belongs. */
export async function orgOfOwner({ organisations, agents, members }: FindOwnerDeps, owner: KeyOwner): Promise<OrgId | undefined> {
  const organisation = OrgId.safeParse(owner)
  if (organisation.success) return (await organisations.get(organisation.data))?.id
  const agent = AgentId.safeParse(owner)
  return (agent.success ? await agents.get(agent.data) : await members.get(owner))?.orgId
}
