import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import type { AgentsDeps } from '../../identity/agents/authority.js'
import { endAgent } from '../../identity/agents/end-agent.js'
import type { Agent } from '../../identity/agents/store.js'
import { changesUpTo } from '../../identity/clients/metadata/changes.js'
import type { ClientMetadata } from '../../identity/clients/metadata/metadata.js'
import { keysOfMetadata, metadataDigest, recognisedIn } from '../../identity/clients/metadata/metadata-keys.js'
import type { RegisteredClient } from '../../identity/clients/store.js'
import { findRegisteredKeys } from '../../identity/keys/find.js'
import { codeStands } from '../../identity/keys/one-time-code.js'
import { indexingCardsOf, type RevokeKeyDeps } from '../../identity/keys/revoke.js'
import type { RegisteredKey } from '../../identity/keys/store.js'
import { equalTexts } from '../../lib/bytes.js'
import { isJsonObject } from '../../lib/json.js'
import { type Handle, newHandle } from '../../protocol/handles.js'
import { AgentId, type EntryId, newId } from '../../protocol/ids.js'
import { coveredBySome, parseScope } from '../../protocol/rights.js'
import type { Barrier } from '../../protocol/standing.js'
import { denyBearer } from './grant.js'
import { actsAlone, readMetadata, refuseMember } from './read-metadata.js'
import { type ClientRegistered, ceilingWithin, namingOperations, type RegisterClientDeps } from './register-client.js'

export type ManageClientDeps = RegisterClientDeps & AgentsDeps & Pick<RevokeKeyDeps, 'storage'>

const TOKEN_BYTES = 32

/** RFC 7592 §3: one refusal, whether the client is unknown, has ended, or the token is wrong. */
const deny = (): never =>
  denyBearer('the registration access token is missing, wrong or replaced, or the client was revoked or has expired')

/** A self-registered client, the handle that ends with it, and its record if it is an agent. */
export interface ManagedClient {
  readonly client: RegisteredClient & { readonly tokenHash: string }
  readonly handle: Handle
  readonly agent?: Agent
}

/**
 * Returns a client to the holder of its registration access token. Call after a read barrier.
 *
 * @see [RFC 7592 §2](https://www.rfc-editor.org/rfc/rfc7592.html#section-2)
 */
export async function requireManaged(deps: ManageClientDeps, clientId: string, token: string | undefined): Promise<ManagedClient> {
  const client = token === undefined ? undefined : await deps.registeredClients.get(clientId)
  const tokenHash = client?.tokenHash
  if (!client || token === undefined || tokenHash === undefined || !equalTexts(digestOfText(token), tokenHash)) return deny()
  const agentId = AgentId.safeParse(client.id)
  const agent = agentId.success ? await deps.agents.get(agentId.data) : undefined
  const organisation = client.orgId && (await deps.organisations.get(client.orgId))
  const handle = agent?.handle ?? client.handle
  const isStanding = handle && codeStands(deps.trustLog, [handle, client.epoch, ...(organisation ? [organisation.handle] : [])])
  return isStanding ? { client: { ...client, tokenHash }, handle, ...(agent && { agent }) } : deny()
}

/** Members that belong to a response of the registry, not to an update (RFC 7592 §2.2). */
const NOT_IN_UPDATES = ['registration_access_token', 'registration_client_uri', 'client_secret_expires_at', 'client_id_issued_at']

/** Replaces the metadata of a client as a whole, and its registration access token. The client gets no more than it had. */
export async function updateClient(deps: ManageClientDeps, managed: ManagedClient, value: unknown): Promise<ClientRegistered> {
  const metadata = await readUpdate(managed.client, value)
  const registrationAccessToken = deps.random.token(TOKEN_BYTES)
  const recognised = changesUpTo(deps.trustLog.now(), managed.client.changes, recognisedIn(managed.client.metadata), recognisedIn(metadata))
  const changes = { metadata, ...recognised, tokenHash: digestOfText(registrationAccessToken), entry: newId(deps.random, 'ent') }
  const { agent } = managed
  const client = agent ? await updateAgent(deps, managed.client, agent, changes) : await updateExternal(deps, managed, changes)
  return { client, registrationAccessToken }
}

async function readUpdate({ id, metadata: current, redirectHosts }: RegisteredClient, value: unknown): Promise<ClientMetadata> {
  if (!isJsonObject(value)) return refuseMember('', 'must be a JSON object')
  if (value.client_id !== id) refuseMember('/client_id', 'must be the id of the client')
  const misplaced = NOT_IN_UPDATES.find((name) => value[name] !== undefined)
  if (misplaced !== undefined) refuseMember(`/${misplaced}`, 'must not be in an update')
  const next = await readMetadata(value, { grantTypes: current.grant_types, redirectHosts, mayFetchKeys: false })
  if (actsAlone(current) && !actsAlone(next)) refuseMember('/grant_types', 'must keep a grant type with which the client acts alone')
  if (next.token_endpoint_auth_method === 'none' && current.token_endpoint_auth_method !== 'none')
    refuseMember('/token_endpoint_auth_method', 'must stay private_key_jwt')
  const [before, after] = [current.scope, next.scope].map((scope) => (scope === undefined ? undefined : parseScope(scope)))
  if (before && !(after?.every((scope) => coveredBySome(before, scope)) ?? false))
    refuseMember('/scope', `must be at most what the client has: ${current.scope}`)
  return next
}

type Changes = Pick<ManagedClient['client'], 'metadata' | 'tokenHash' | 'changes'> & { readonly entry: EntryId }

/** A name, a narrower ceiling and other keys are changed with the metadata. A key that is no longer listed is revoked. */
async function updateAgent(
  deps: ManageClientDeps,
  client: ManagedClient['client'],
  agent: Agent,
  changes: Changes,
): Promise<RegisteredClient> {
  const { metadata } = changes
  const name = metadata.client_name ?? agent.name
  const isNarrower = metadata.scope !== client.metadata.scope
  const ceilingVer = isNarrower ? newHandle(deps.random, 'ver') : agent.ceilingVer
  const naming = name === agent.name ? [] : await namingOperations(deps, { ...agent, name })
  const removed = await removedKeys(deps, client, metadata)
  const ends = [...removed, ...(isNarrower ? [{ handle: agent.ceilingVer }] : [])].map(({ handle }) => ({ handle }))
  const { handle } = agent
  const { outcome } = await deps.trustLog.commit({
    id: changes.entry,
    type: 'record.changed',
    digest: metadataDigest({ ...client, metadata }),
    ends,
    dependsOn: [handle, agent.ceilingVer],
    operations: [
      deps.registeredClients.changing(client.id, { tokenHash: client.tokenHash }, changes),
      deps.agents.changing(
        agent.id,
        { handle, ceilingVer: agent.ceilingVer },
        { name, ceilingVer, ...(isNarrower && { ceiling: ceilingWithin(agent.ceiling, metadata.scope) }) },
      ),
      ...naming,
      ...endingKeys(deps, agent, removed, ends),
    ],
  })
  if (outcome !== 'committed') refuse('conflict', 'the client was changed or revoked concurrently; read it and try again')
  // A key that was proved after the list was read
  const late = await removedKeys(deps, client, metadata)
  const lateEnds = late.map((key) => ({ handle: key.handle }))
  if (late.length > 0) await deps.trustLog.end({ type: 'key.revoked', ends: lateEnds, operations: endingKeys(deps, agent, late, lateEnds) })
  return { ...client, ...changes }
}

const endingKeys = (
  deps: ManageClientDeps,
  { id, orgId }: Agent,
  removed: readonly RegisteredKey[],
  ends: readonly { handle: Handle }[],
) => [
  ...removed.slice(0, 1).flatMap((key) => indexingCardsOf(deps, key)),
  ...deps.audit.recordingEnd({ orgId, actor: id, action: 'oauth.register', outcome: 'done', subject: id }, { ends, reason: 'superseded' }),
]

/** Registered keys that the metadata listed and list no more. Keys that were registered in another way stay. */
async function removedKeys(
  deps: ManageClientDeps,
  { id, metadata }: RegisteredClient,
  next: ClientMetadata,
): Promise<readonly RegisteredKey[]> {
  const agentId = AgentId.parse(id)
  const jktsOf = ({ jwks, token_endpoint_auth_method }: ClientMetadata) =>
    keysOfMetadata({ jwks, token_endpoint_auth_method }, deps.trustLog.epoch).map(({ jkt }) => jkt)
  const [before, after] = [jktsOf(metadata), jktsOf(next)]
  const keys = await findRegisteredKeys(deps, agentId)
  return keys.filter(({ jkt, handle }) => before.includes(jkt) && !after.includes(jkt) && !deps.trustLog.ended.has(handle))
}

async function updateExternal(deps: ManageClientDeps, { client, handle }: ManagedClient, changes: Changes): Promise<RegisteredClient> {
  const { ver, orgId, id } = client
  const next = { ...changes, ver: newHandle(deps.random, 'ver') }
  const { outcome } = await deps.trustLog.commit({
    id: changes.entry,
    type: 'record.changed',
    digest: metadataDigest({ ...client, metadata: changes.metadata }),
    ends: ver ? [{ handle: ver }] : [],
    dependsOn: [handle],
    operations: [
      deps.registeredClients.changing(id, { tokenHash: client.tokenHash }, next),
      ...(orgId ? [deps.audit.recording({ orgId, actor: id, action: 'oauth.register', outcome: 'done', subject: id })] : []),
    ],
  })
  return outcome === 'committed'
    ? { ...client, ...next }
    : refuse('conflict', 'the client was changed or revoked concurrently; read it and try again')
}

/** Revokes a client with everything that depends on it (RFC 7592 §2.3). */
export async function deleteClient(deps: ManageClientDeps, { client, handle, agent }: ManagedClient, barrier: Barrier): Promise<void> {
  const { id, orgId, tokenHash } = client
  if (agent) {
    const itself = { kind: 'agent', role: 'agent', id: agent.id, orgId: agent.orgId, barrier } as const
    await endAgent(deps, itself, agent.id, 'revoked', { reason: 'user_request' })
    await deps.registeredClients.take(id, { tokenHash })
    return
  }
  const ends = [{ handle }]
  const row = orgId && { orgId, actor: id, action: 'oauth.register', outcome: 'done' as const, subject: id }
  await deps.trustLog.end({
    type: 'client.revoked',
    ends,
    operations: [deps.registeredClients.taking(id, {}), ...(row ? deps.audit.recordingEnd(row, { ends, reason: 'user_request' }) : [])],
  })
}
