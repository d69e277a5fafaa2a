import { AgentId, type ClientId, MemberId } from '../protocol/ids.js'
import type { Client } from './client.js'

/** Finds OAuth clients. What a client stands on is checked by who decides, after its fence. */
export interface Clients {
  find(id: ClientId): Promise<Client | undefined>
}

/** Members and agents keep themselves; a `client_id` says which of them it is. */
export function newClients(finders: {
  readonly member: (id: MemberId) => Promise<Client | undefined>
  readonly agent: (id: AgentId) => Promise<Client | undefined>
}): Clients {
  return {
    find: async (id) => {
      const agent = AgentId.safeParse(id)
      if (agent.success) return finders.agent(agent.data)
      const member = MemberId.safeParse(id)
      return member.success ? finders.member(member.data) : undefined
    },
  }
}
