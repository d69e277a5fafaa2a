// Clients that registered themselves. What they list in their metadata proves nothing: a key counts from the first valid assertion that it signs.
import type { ExternalClientId, OrgId } from '../../protocol/ids.js'
import { dependenciesOf, stands } from '../../protocol/standing.js'
import type { CacheableRead } from '../../trust-log/cache.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Agent, AgentsStore } from '../agents/store.js'
import type { RegisteredKeysStore } from '../keys/store.js'
import { countNewest, type Quota } from '../limits/quota.js'
import type { ClientKey, ExternalClient } from './client.js'
import type { GrantType } from './metadata.js'
import { keysOfMetadata } from './metadata-keys.js'
import type { RegisteredClientsStore } from './store.js'

export interface SelfRegisteredDeps {
  readonly agents: AgentsStore
  readonly registeredClients: RegisteredClientsStore
  readonly registeredKeys: RegisteredKeysStore
  readonly trustLog: Pick<TrustLog, 'ended'>
}

/** What an agent's own registration adds to its record: its grant types, and the keys that it has not proved yet. */
export async function readSelfRegistration(
  deps: SelfRegisteredDeps,
  { id, handle }: Agent,
): Promise<{ readonly grantTypes?: readonly GrantType[]; readonly unprovedKeys: readonly ClientKey[] }> {
  const registered = await deps.registeredClients.get(id)
  if (!registered) return { unprovedKeys: [] }
  const { metadata, epoch, expiresAt } = registered
  const usableUntil = expiresAt ?? Number.POSITIVE_INFINITY
  const listed = stands(deps.trustLog.ended, [epoch]) ? keysOfMetadata(metadata, handle) : []
  // A key that was ever registered for the agent has a slot, also after it was revoked: then listing it again does not bring it back.
  const slots = await Promise.all(listed.map(({ jkt }) => deps.registeredKeys.slots.get(`${id} ${jkt}`)))
  const unproved = listed.filter((_, i) => slots[i] === undefined)
  return { grantTypes: metadata.grant_types, unprovedKeys: unproved.map((key) => ({ ...key, usableUntil, isUnproved: true })) }
}

/** Reads an external client. Undefined for an unknown or expired one. */
export async function readExternalClient(
  { registeredClients }: Pick<SelfRegisteredDeps, 'registeredClients'>,
  id: ExternalClientId,
): Promise<CacheableRead<ExternalClient> | undefined> {
  const registered = await registeredClients.get(id)
  if (!registered?.handle || !registered.ver) return undefined
  const dependencies = dependenciesOf([registered.handle, registered.ver, registered.epoch], registered.expiresAt)
  const keys = keysOfMetadata(registered.metadata, registered.ver)
  return { value: { kind: 'external', id, dependencies, keys }, dependsOn: dependencies.handles }
}

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
