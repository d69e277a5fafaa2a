import { digestOfText } from '../credentials/jose/digest.js'
import type { Caller, Role, TokenCaller } from '../http/caller.js'
import type { Random } from '../lib/random.js'
import { type ClientId, ClientId as ClientIdSchema } from '../protocol/ids.js'
import { stands } from '../protocol/standing.js'
import type { Storage } from '../storage/storage.js'
import { dependenciesToStore } from '../trust-log/horizon-rule.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import { ticketsIn } from './tickets-store.js'

interface TicketDeps {
  readonly storage: Storage
  readonly trustLog: TrustLog
  readonly random: Random
  /** The client's current kind, organisation and role. Undefined if the client no longer exists or was revoked. */
  readonly findClient: (id: ClientId) => Promise<(Pick<Caller, 'kind' | 'id' | 'orgId'> & { readonly role: Role }) | undefined>
}

const TICKET_SECONDS = 30

export interface Tickets {
  /** Issues a ticket that opens one WebSocket within 30 s as this caller. */
  issue(caller: TokenCaller): Promise<{ readonly ticket: string; readonly expiresAt: number }>
  /** The caller of a ticket. Undefined if the ticket is unknown, redeemed or expired, or if the token it was issued for was revoked. */
  redeem(ticket: string): Promise<TokenCaller | undefined>
}

/** Tickets are for browsers, which cannot send an Authorization header with a WebSocket upgrade. */
export function newTickets({ storage, trustLog, random, findClient }: TicketDeps): Tickets {
  const tickets = ticketsIn(storage)
  return {
    issue: async ({ id, tokenId, jkt, scopes, dependencies, identities }) => {
      const ticket = random.token(32)
      const now = trustLog.now()
      const expiresAt = Math.min(now + TICKET_SECONDS, Math.floor(dependencies.expiresAt))
      await tickets.insert({
        id: digestOfText(ticket),
        clientId: ClientIdSchema.parse(id),
        tokenId,
        jkt,
        scopes: [...scopes],
        dependsOn: dependenciesToStore(dependencies, { now, expiresAt }),
        identities: [...identities],
        tokenExpiresAt: Math.floor(dependencies.expiresAt),
        expiresAt,
      })
      return { ticket, expiresAt }
    },
    redeem: async (ticket) => {
      const redeemed = ticket.length > 64 ? undefined : await tickets.take(digestOfText(ticket), {})
      const barrier = await trustLog.readBarrier()
      const client = redeemed && redeemed.expiresAt > barrier.now ? await findClient(redeemed.clientId) : undefined
      if (!redeemed || !client || !stands(trustLog.ended, redeemed.dependsOn)) return undefined
      const { tokenId, jkt, scopes, dependsOn, identities, tokenExpiresAt } = redeemed
      return {
        kind: client.kind,
        id: client.id,
        orgId: client.orgId,
        role: client.role,
        scopes,
        tokenId,
        jkt,
        dependencies: { handles: dependsOn, expiresAt: tokenExpiresAt },
        identities,
        barrier,
      }
    },
  }
}
