import { AgentId, type ClientId, MemberId } from '../../protocol/ids.js'
import { type CacheableRead, newCache } from '../../trust-log/cache.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Client } from './client.js'

/** Finds OAuth clients by `client_id`, from a cache where possible. */
export interface Clients {
  find(id: ClientId): Promise<Client | undefined>
}

/** The prefix of a `client_id` says whether the `member` or the `agent` reader is used. */
export function newClients(
  trustLog: Pick<TrustLog, 'ended' | 'now' | 'onApplied'>,
  readers: {
    readonly member: (id: MemberId) => Promise<CacheableRead<Client> | undefined>
    readonly agent: (id: AgentId) => Promise<CacheableRead<Client> | undefined>
  },
): Clients {
  // A new key, a retired key, a new name and a reinstatement change a client without ending a handle that it depends on.
  const cache = newCache<Client>(
    trustLog,
    ({ type }) => type === 'key.registered' || type === 'record.changed' || type === 'agent.reinstated',
  )
  return {
    find: (id) =>
      cache.getOrRead(id, async () => {
        const agent = AgentId.safeParse(id)
        if (agent.success) return readers.agent(agent.data)
        const member = MemberId.safeParse(id)
        return member.success ? readers.member(member.data) : undefined
      }),
  }
}
