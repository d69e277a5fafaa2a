// Clients that registered themselves. What they list in their metadata proves nothing: a key counts from the first valid assertion that it signs.
import { DEVICE_CODE } from '../../protocol/grant-types.js'
import { DEVICE_CLIENT_ID, ExternalClientId, type OrgId } from '../../protocol/ids.js'
import { dependenciesOf } from '../../protocol/standing.js'
import type { CacheableRead } from '../../trust-log/cache.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Agent, AgentsStore } from '../agents/store.js'
import { codeStands } from '../keys/one-time-code.js'
import type { RegisteredKeysStore } from '../keys/store.js'
import { countNewest, type Quota } from '../limits/quota.js'
import type { Client, ClientKey, ExternalClient } from './client.js'
import { askingPartOf } from './metadata/metadata.js'
import { keysOfMetadata } from './metadata/metadata-keys.js'
import type { ClientDocumentsStore, ClientUsesStore, RegisteredClientsStore } from './store.js'

export interface SelfRegisteredDeps {
  readonly agents: AgentsStore
  readonly registeredClients: RegisteredClientsStore
  readonly registeredKeys: RegisteredKeysStore
  readonly trustLog: Pick<TrustLog, 'ended' | 'epoch'>
}

/**
 * The keys of an agent: `registered` and, if it registered itself, those of its metadata that it has not proved yet. A registered key also has the `kid`
 * of the metadata, which the agent may put into its assertions.
 */
export async function readOwnKeys(
  deps: SelfRegisteredDeps,
  { id, handle, redirectUris }: Agent,
  registered: readonly ClientKey[],
): Promise<Pick<Client, 'keys' | 'grantTypes' | 'redirectUris'>> {
  const client = await deps.registeredClients.get(id)
  if (!client) return { keys: registered, redirectUris }
  const { metadata, epoch, entry, tokenHash, expiresAt = Number.POSITIVE_INFINITY } = client
  const listed = keysOfMetadata(metadata, handle)
  const named = registered.map((key) => ({ ...key, jwk: listed.find(({ jkt }) => jkt === key.jkt)?.jwk ?? key.jwk }))
  // A key that was ever registered for the agent has a slot, also after it was revoked: then listing it again does not bring it back.
  const slots = await Promise.all(listed.map(({ jkt }) => deps.registeredKeys.slots.get(`${id} ${jkt}`)))
  const mayProve = tokenHash !== undefined && entry !== undefined && codeStands(deps.trustLog, [epoch])
  const unproved = mayProve ? listed.filter((_, i) => slots[i] === undefined) : []
  return {
    keys: [...named, ...unproved.map((key) => ({ ...key, usableUntil: expiresAt, isUnproved: true as const }))],
    grantTypes: metadata.grant_types,
    redirectUris: metadata.redirect_uris,
  }
}

const DEVICE_CLIENT: ExternalClient = {
  kind: 'external',
  id: ExternalClientId.parse(DEVICE_CLIENT_ID),
  isPublic: true,
  dependencies: dependenciesOf([]),
  keys: [],
  grantTypes: [DEVICE_CODE],
}

/** Reads an external client. Undefined for an unknown or expired one. */
export async function readExternalClient(
  { registeredClients }: Pick<SelfRegisteredDeps, 'registeredClients'>,
  id: ExternalClientId,
): Promise<CacheableRead<ExternalClient> | undefined> {
  if (id === DEVICE_CLIENT_ID) return { value: DEVICE_CLIENT, dependsOn: [] }
  const registered = await registeredClients.get(id)
  if (!registered?.handle || !registered.ver) return undefined
  const dependencies = dependenciesOf([registered.handle, registered.ver, registered.epoch], registered.expiresAt)
  const { metadata, orgId, entry, ver } = registered
  const keys = entry === undefined ? [] : keysOfMetadata(metadata, ver)
  const value = { kind: 'external' as const, id, orgId, dependencies, keys, grantTypes: metadata.grant_types, ...askingPartOf(metadata) }
  return { value, dependsOn: dependencies.handles }
}

/** Maximum number of metadata documents in the registry that are stored because a resource or a person let a stranger in, and for one organisation. */
const MAX_DOCUMENTS = 10_000
const MAX_DOCUMENTS_OF_ORGANISATION = 1000

interface CountDocumentsDeps {
  readonly clientDocuments: ClientDocumentsStore
  readonly clientUses: ClientUsesStore
  readonly trustLog: Pick<TrustLog, 'ended'>
}

/** So that one organisation with an open resource, or its people, cannot use up the documents of the registry. */
export const clientDocumentQuotas = (deps: CountDocumentsDeps, orgId: OrgId): readonly Quota[] => [
  documentsQuota(deps, orgId),
  documentsOfOrganisationQuota(deps, orgId),
]

const documentsOfOrganisationQuota = ({ clientUses }: CountDocumentsDeps, orgId: OrgId): Quota => ({
  id: `client-documents ${orgId}`,
  orgId,
  limit: MAX_DOCUMENTS_OF_ORGANISATION,
  refusalText: `the organisation uses ${MAX_DOCUMENTS_OF_ORGANISATION} clients that it knows by the URL of their metadata, the maximum`,
  count: (atMost) =>
    countNewest(
      (after) => clientUses.find('organisation', { where: { orgId }, order: 'down', limit: 100, ...(after && { after }) }),
      ({ uri, agentId }) => uri !== undefined && agentId === undefined,
      atMost,
    ),
})

const documentsQuota = ({ clientDocuments, trustLog }: CountDocumentsDeps, orgId: OrgId): Quota => ({
  id: 'client-documents',
  orgId,
  limit: MAX_DOCUMENTS,
  refusalText: `this registry knows ${MAX_DOCUMENTS} clients by the URL of their metadata, the maximum`,
  count: (atMost) =>
    countNewest(
      (after) => clientDocuments.find('used', { where: {}, order: 'down', limit: 1000, ...(after && { after }) }),
      ({ handle }) => !trustLog.ended.has(handle),
      atMost,
    ),
})

/** Maximum number of external clients that were registered with the grants of an organisation. */
const MAX_EXTERNAL_CLIENTS = 1000

export const externalClientsQuota = (
  { registeredClients, trustLog }: Pick<SelfRegisteredDeps, 'registeredClients' | 'trustLog'>,
  orgId: OrgId,
): Quota => ({
  id: `external-clients ${orgId}`,
  orgId,
  limit: MAX_EXTERNAL_CLIENTS,
  refusalText: `the organisation has ${MAX_EXTERNAL_CLIENTS} external clients, the maximum`,
  count: (atMost) =>
    countNewest(
      (after) => registeredClients.find('organisation', { where: { orgId }, order: 'down', limit: 100, ...(after && { after }) }),
      ({ handle }) => handle !== undefined && !trustLog.ended.has(handle),
      atMost,
    ),
})
