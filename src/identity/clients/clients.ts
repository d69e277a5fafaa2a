import { quickParse } from '../../lib/quick-parse.js'
import { type ActorId, AgentId, ClientId, ExternalClientId, MemberId } from '../../protocol/ids.js'
import { type CacheableRead, newCache } from '../../trust-log/cache.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Client, ExternalClient } from './client.js'

/** The request of a client that has not been authenticated yet: the `kid` of its assertion, and the address that sent it. */
export interface SeenAssertion {
  readonly kid?: string | undefined
  readonly address: string
  /** The agent as which a client with a metadata document acts (`agent_id`), and the audience of the token that it requests. */
  readonly agentId?: string | undefined
  readonly audience?: string | undefined
}

/** Finds OAuth clients by `client_id`, from a cache where possible. */
export interface Clients {
  /** An agent or a member. */
  find(id: ActorId): Promise<Client | undefined>
  /** The client with the `client_id` of an assertion, which may be any text. */
  findAny(id: string, seen: SeenAssertion): Promise<Client | ExternalClient | undefined>
}

/** The prefix of a `client_id` says which reader is used. */
export function newClients(
  trustLog: Pick<TrustLog, 'ended' | 'now' | 'onApplied'>,
  readers: {
    readonly member: (id: MemberId) => Promise<CacheableRead<Client> | undefined>
    readonly agent: (id: AgentId) => Promise<CacheableRead<Client> | undefined>
    readonly external: (id: ExternalClientId) => Promise<CacheableRead<ExternalClient> | undefined>
    /** Finds a client whose `client_id` is the URL of its metadata. */
    readonly document: (id: string, seen: SeenAssertion) => Promise<Client | ExternalClient | undefined>
  },
): Clients {
  // A new key, a retired key, a new name and a reinstatement change a client without ending a handle that it depends on.
  const cache = newCache<Client>(
    trustLog,
    ({ type }) => type === 'key.registered' || type === 'record.changed' || type === 'agent.reinstated',
  )
  const find: Clients['find'] = (id) =>
    cache.getOrRead(id, async () => {
      const agent = AgentId.safeParse(id)
      if (agent.success) return readers.agent(agent.data)
      const member = MemberId.safeParse(id)
      return member.success ? readers.member(member.data) : undefined
    })
  return {
    find,
    findAny: async (id, seen) => {
      const own = quickParse<ClientId>(ClientId, id)
      if (own.success) return find(own.data)
      const external = ExternalClientId.safeParse(id)
      return external.success ? (await readers.external(external.data))?.value : readers.document(id, seen)
    },
  }
}
