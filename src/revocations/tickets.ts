import { digestOfText } from '../credentials/jose/digest.js'
import type { Caller, Role } from '../http/caller.js'
import type { Random } from '../lib/random.js'
import { type ClientId, ClientId as ClientIdSchema } from '../protocol/ids.js'
import { stands } from '../protocol/standing.js'
import type { Storage } from '../storage/storage.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import { ticketsIn } from './tickets-store.js'

export interface TicketDeps {
  readonly storage: Storage
  readonly trustLog: TrustLog
  readonly random: Random
  /** Who a client is now: its kind, organisation and role. */
  readonly findClient: (id: ClientId) => Promise<(Pick<Caller, 'kind' | 'id' | 'orgId'> & { readonly role: Role }) | undefined>
}

const TICKET_SECONDS = 30

export interface Tickets {
  /** For an authenticated caller, good for one WebSocket within 30 s. */
  issue(caller: Caller): Promise<{ readonly ticket: string; readonly expiresAt: number }>
  /** Once; undefined for everything else, and where what the token stood on has ended. */
  redeem(ticket: string): Promise<Caller | undefined>
}

/** For browsers, which can send no header with an upgrade. */
export function newTickets({ storage, trustLog, random, findClient }: TicketDeps): Tickets {
  const tickets = ticketsIn(storage)
  return {
    issue: async ({ id, tokenId, jkt, scopes, dependencies, identities }) => {
      const ticket = random.token(32)
      const expiresAt = Math.min(trustLog.now() + TICKET_SECONDS, Math.floor(dependencies.expiresAt))
      await tickets.insert({
        id: digestOfText(ticket),
        clientId: ClientIdSchema.parse(id),
        tokenId,
        jkt,
        scopes: [...scopes],
        dependsOn: [...dependencies.handles],
        identities: [...identities],
        until: Math.floor(dependencies.expiresAt),
        expiresAt,
      })
      return { ticket, expiresAt }
    },
    redeem: async (ticket) => {
      const taken = ticket.length > 64 ? undefined : await tickets.take(digestOfText(ticket), {})
      const { now } = await trustLog.readBarrier()
      const client = taken && taken.expiresAt > now ? await findClient(taken.clientId) : undefined
      if (!taken || !client || !stands(trustLog.ended, taken.dependsOn)) return undefined
      const { tokenId, jkt, scopes, dependsOn, identities, until } = taken
      return {
        kind: client.kind,
        id: client.id,
        orgId: client.orgId,
        role: client.role,
        scopes,
        tokenId,
        jkt,
        dependencies: { handles: dependsOn, expiresAt: until },
        identities: identities,
      }
    },
  }
}
