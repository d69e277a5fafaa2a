import { z } from 'zod'
import { Handle } from '../../protocol/handles.js'
import { AgentId, ClientUri, EntryId, ExternalClientId, OrgId } from '../../protocol/ids.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'
import { ClientChanges } from './metadata/changes.js'
import { ClientMetadata } from './metadata/metadata.js'

/** A client that software registered at /oauth/register: an agent (`agt_`), whose own record decides its rights, or an external client (`cli_`). */
export const RegisteredClient = z.strictObject({
  id: z.union([AgentId, ExternalClientId]),
  /** The organisation of the registration grant. Absent for an external client that was registered without one (development mode). */
  orgId: OrgId.optional(),
  /** `cli:` and `ver:` of an external client. An agent has its own. */
  handle: Handle.optional(),
  ver: Handle.optional(),
  metadata: ClientMetadata,
  /** The hosts that the registration grant allows in redirect URIs. Absent: every host. */
  redirectHosts: z.array(z.string().max(253)).max(16).optional(),
  /**
   * Digest of the registration access token (RFC 7592 §3). Absent after the credentials of the agent were withdrawn: then there is no valid token, and
   * no listed key can be proved any more.
   */
  tokenHash: z.string().length(43).optional(),
  /**
   * The epoch in which metadata and token were written. After a restore the record may be old, so the token is void, and no key of the metadata can
   * be proved any more.
   */
  epoch: Handle,
  /** The log entry that commits to the keys of the metadata (`metadataDigest`). Without it, none of them counts. */
  entry: EntryId.optional(),
  createdAt: z.int().min(0),
  changes: ClientChanges.optional(),
  /** Absent once the client has proved that it has its key. */
  expiresAt: z.int().optional(),
})
export type RegisteredClient = z.infer<typeof RegisteredClient>

export type RegisteredClientsStore = Collection<RegisteredClient>

export const REGISTERED_CLIENTS: OwnedSpec<RegisteredClient> = {
  name: 'registered-clients',
  schema: RegisteredClient,
  key: 'id',
  indexes: { organisation: { fields: ['orgId', 'createdAt'] } },
  expires: 'expiresAt',
  ownedBy: ['orgId', 'id'],
}

export const registeredClientsStore = ({ storage }: { readonly storage: Storage }): RegisteredClientsStore =>
  storage.collection(REGISTERED_CLIENTS)

/** A Client ID Metadata Document that an organisation uses: the `client_id` is its URL. */
export const ClientDocument = z.strictObject({
  uri: ClientUri,
  id: ExternalClientId,
  /** The one admission of a document that an earlier build stored; later ones are client uses. */
  agentId: AgentId.optional(),
  orgId: OrgId.optional(),
  /** Handle of kind `cli:`. `ver` is the version of what decides about the client in `metadata`. */
  handle: Handle,
  ver: Handle,
  metadata: ClientMetadata,
  fetchedAt: z.int().min(0),
  /** Epoch seconds from which the document is fetched again before it counts. */
  freshUntil: z.int().min(0),
  /** When the first valid assertion made `agentId` active. */
  confirmedAt: z.int().min(0).optional(),
  changes: ClientChanges.optional(),
  /** Exact to a day. Absent in a document that an earlier build stored. */
  usedAt: z.int().min(0).optional(),
})
export type ClientDocument = z.infer<typeof ClientDocument>

export type ClientDocumentsStore = Collection<ClientDocument>

export const CLIENT_DOCUMENTS: OwnedSpec<ClientDocument> = {
  name: 'client-documents',
  schema: ClientDocument,
  key: 'uri',
  indexes: { client: { fields: ['id'] }, used: { fields: ['usedAt'] } },
  ownedBy: 'registry',
}

export const clientDocumentsStore = ({ storage }: { readonly storage: Storage }): ClientDocumentsStore =>
  storage.collection(CLIENT_DOCUMENTS)

/** An external client that an organisation uses: it registered with a grant of the organisation, was admitted or allowed, got a token for a resource, or a person consented to it. */
export const ClientUse = z.strictObject({
  /** `<organisation> <client>`. */
  id: z.string().max(60),
  orgId: OrgId,
  clientId: ExternalClientId,
  /** The URL of its metadata, if that is its `client_id`. */
  uri: ClientUri.optional(),
  /** The agent that the organisation admitted it as. */
  agentId: AgentId.optional(),
  /** When the first valid assertion made the agent active. */
  confirmedAt: z.int().min(0).optional(),
  /** Since when people of the organisation may consent to it. */
  allowedAt: z.int().min(0).optional(),
  createdAt: z.int().min(0),
})
export type ClientUse = z.infer<typeof ClientUse>

export type ClientUsesStore = Collection<ClientUse>

export const CLIENT_USES: OwnedSpec<ClientUse> = {
  name: 'client-uses',
  schema: ClientUse,
  key: 'id',
  indexes: { organisation: { fields: ['orgId', 'createdAt'] }, client: { fields: ['clientId', 'createdAt'] } },
  ownedBy: ['orgId'],
}

export const clientUsesStore = ({ storage }: { readonly storage: Storage }): ClientUsesStore => storage.collection(CLIENT_USES)
