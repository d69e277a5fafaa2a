import { z } from 'zod'
import { Handle } from '../protocol/handles.js'
import { ClientId, Jkt, TokenId } from '../protocol/ids.js'
import { Scope } from '../protocol/rights.js'
import type { Collection, OwnedSpec, Storage } from '../storage/storage.js'

/** A one-time ticket for a WebSocket, with the caller that it was issued for. `id` is the hash of the ticket's text. */
const Ticket = z.strictObject({
  id: z.string().length(43),
  clientId: ClientId,
  tokenId: TokenId,
  jkt: Jkt,
  scopes: z.array(Scope).max(64),
  dependsOn: z.array(Handle).max(128),
  identities: z.array(Handle).max(16),
  tokenExpiresAt: z.int(),
  expiresAt: z.int(),
})
type Ticket = z.infer<typeof Ticket>

export const TICKETS: OwnedSpec<Ticket> = {
  name: 'tickets',
  schema: Ticket,
  key: 'id',
  indexes: {},
  expires: 'expiresAt',
  ownedBy: ['clientId'],
}

export const ticketsIn = (storage: Storage): Collection<Ticket> => storage.collection(TICKETS)
