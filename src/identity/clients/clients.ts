import { AgentId, type ClientId, MemberId } from '../../protocol/ids.js'
import { begins, type CacheableRead, newCache } from '../../trust-log/records/cache.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Client } from './client.js'

/** Finds OAuth clients. What a client stands on is checked by who decides, after its fence. */
export interface Clients {
  find(id: ClientId): Promise<Client | undefined>
}

/** Members and agents keep themselves; a `client_id` says which of them it is. */
export function newClients(
  trustLog: Pick<TrustLog, 'ended' | 'now' | 'onApplied'>,
  readers: {
    readonly member: (id: MemberId) => Promise<CacheableRead<Client> | undefined>
    readonly agent: (id: AgentId) => Promise<CacheableRead<Client> | undefined>
  },
): Clients {
  // A key more, a retired key, another name, and who is back: what a client is changes so without an ending.
  const memory = newCache<Client>(
    trustLog,
    (entry) => begins(entry, 'key') || entry.type === 'record.changed' || entry.type === 'agent.reinstated',
  )
  return {
    find: (id) =>
      memory.getOrRead(id, async () => {
        const agent = AgentId.safeParse(id)
        if (agent.success) return readers.agent(agent.data)
        const member = MemberId.safeParse(id)
        return member.success ? readers.member(member.data) : undefined
      }),
  }
}
