import { refuse } from '../../errors.js'
import { type Caller, isMemberOf, maySee } from '../../http/caller.js'
import { cursorOf, type PageInput, pageOf } from '../../http/paging.js'
import type { Handle } from '../../protocol/handles.js'
import type { AgentId, ClientUri, ExternalClientId, Jkt, OrgId } from '../../protocol/ids.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { type Admission, type AdmissionsDeps, admissionsBy, admissionsOf } from './admissions.js'
import type { ClientMetadata, GrantType } from './metadata/metadata.js'
import { keysOfMetadata } from './metadata/metadata-keys.js'
import type { ClientDocument, RegisteredClient, RegisteredClientsStore } from './store.js'

export interface ReadClientsDeps extends AdmissionsDeps {
  readonly registeredClients: RegisteredClientsStore
  readonly trustLog: TrustLog
}

/** An external client: it registered itself, or is known by the URL of its metadata. */
export interface ClientView {
  readonly clientId: ExternalClientId
  /** The URL with which it authenticates. */
  readonly clientUri?: ClientUri
  /** `registered`: it has not proved its key yet. */
  readonly state: 'registered' | 'active' | 'revoked'
  readonly handles: readonly Handle[]
  /** The name that it gives itself. */
  readonly name?: string | undefined
  readonly authMethod: ClientMetadata['token_endpoint_auth_method']
  readonly grantTypes: readonly GrantType[]
  readonly redirectUris?: readonly string[] | undefined
  /** Thumbprints of the keys in its metadata. */
  readonly keys: readonly Jkt[]
  /** The organisation whose registration grant it used. */
  readonly orgId?: OrgId | undefined
  /** The agents that organisations admitted it as, as far as the caller sees them. */
  readonly agents: readonly AgentId[]
  /** True if the caller's organisation allows its people to consent to it. */
  readonly isAllowed: boolean
  readonly registeredAt?: number | undefined
  readonly lastUsedAt?: number | undefined
}

export interface ClientList {
  readonly items: readonly ClientView[]
  readonly cursor?: string
}

/** A stored external client, whichever way it came. */
export type StoredClient =
  | { readonly kind: 'registered'; readonly client: RegisteredClient & { readonly id: ExternalClientId; readonly handle: Handle } }
  | { readonly kind: 'document'; readonly client: ClientDocument }

export async function findStored(
  { registeredClients, clientDocuments }: Pick<ReadClientsDeps, 'registeredClients' | 'clientDocuments'>,
  id: ExternalClientId,
): Promise<StoredClient | undefined> {
  const registered = await registeredClients.get(id)
  if (registered?.handle) return { kind: 'registered', client: { ...registered, id, handle: registered.handle } }
  const [document] = (await clientDocuments.find('client', { where: { id }, limit: 1 })).items
  return document && { kind: 'document', client: document }
}

/** Returns a client to operators, to members of the organisation that issued its registration grant, and of those that use it. */
export async function requireSeen(deps: ReadClientsDeps, caller: Caller, id: ExternalClientId): Promise<StoredClient> {
  const stored = await findStored(deps, id)
  const isUsed = async () => (await deps.clientUses.get(`${caller.orgId} ${id}`)) !== undefined
  const mayRead = stored && (caller.role === 'operator' || isMemberOf(caller, stored.client.orgId) || (await isUsed()))
  return mayRead ? stored : refuse('not_found', 'no such client')
}

export const getClient = (deps: ReadClientsDeps, caller: Caller, id: ExternalClientId): Promise<ClientView> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => viewOf(deps, caller, await requireSeen(deps, caller, id)))

/** Lists the external clients that an organisation uses, newest first. */
export const listClients = (
  deps: ReadClientsDeps,
  caller: Caller,
  { orgId = caller.orgId, ...input }: PageInput & { readonly orgId?: OrgId | undefined },
): Promise<ClientList> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => {
    if (!maySee(caller, orgId)) return refuse('not_found', 'no such organisation')
    const page = await deps.clientUses.find('organisation', { where: { orgId }, order: 'down', ...cursorOf(input) })
    const { items: uses, cursor } = pageOf(page, (use) => use)
    const found = await Promise.all(uses.map(({ clientId }) => findStored(deps, clientId)))
    const items = await Promise.all(found.filter((stored) => stored !== undefined).map((stored) => viewOf(deps, caller, stored)))
    return { items, ...(cursor && { cursor }) }
  })

export async function viewOf(deps: ReadClientsDeps, caller: Caller, { kind, client }: StoredClient): Promise<ClientView> {
  const { id, handle, metadata } = client
  const isConfirmed = kind === 'document' || client.expiresAt === undefined
  const admissions = kind === 'document' ? await admissionsSeen(deps, caller, client) : []
  return {
    clientId: id,
    ...(kind === 'document' && { clientUri: client.uri }),
    state: deps.trustLog.ended.has(handle) ? 'revoked' : isConfirmed ? 'active' : 'registered',
    handles: [handle],
    name: metadata.client_name,
    authMethod: metadata.token_endpoint_auth_method,
    grantTypes: metadata.grant_types,
    redirectUris: metadata.redirect_uris,
    keys: keysOfMetadata(metadata, handle).map(({ jkt }) => jkt),
    ...(kind === 'registered' && { orgId: client.orgId, registeredAt: client.createdAt }),
    agents: admissions.map(({ agentId }) => agentId),
    isAllowed: (await deps.clientUses.get(`${caller.orgId} ${id}`))?.allowedAt !== undefined,
    ...(kind === 'document' && { lastUsedAt: client.usedAt }),
  }
}

async function admissionsSeen(deps: ReadClientsDeps, caller: Caller, document: ClientDocument): Promise<readonly Admission[]> {
  if (caller.role === 'operator') return admissionsOf(deps, document)
  return maySee(caller, caller.orgId) ? admissionsBy(deps, document, caller.orgId) : []
}
