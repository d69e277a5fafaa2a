import type { Audit } from '../../audit/audit.js'
import { digestOfText } from '../../credentials/jose/digest.js'
import { isRefusal, refuse } from '../../errors.js'
import { newAgent, REGISTRATION_SECONDS } from '../../identity/agents/register.js'
import type { Agent, AgentsStore } from '../../identity/agents/store.js'
import { usingClient } from '../../identity/clients/admissions.js'
import type { ClientMetadata } from '../../identity/clients/metadata/metadata.js'
import { metadataDigest } from '../../identity/clients/metadata/metadata-keys.js'
import type { ClientUsesStore, RegisteredClient, RegisteredClientsStore } from '../../identity/clients/store.js'
import type { RegisteredKeysStore } from '../../identity/keys/store.js'
import type { CountedCommit } from '../../identity/limits/quota.js'
import { requireReadableName, takingName } from '../../identity/names/agent-names.js'
import type { RegistrationGrant } from '../../identity/registrations/store.js'
import type { Random } from '../../lib/random.js'
import { newHandle } from '../../protocol/handles.js'
import { newId, type OrgId } from '../../protocol/ids.js'
import { IntroductionPolicy } from '../../protocol/introduction-policy.js'
import { type Ceiling, coveredBySome, MAX_NAMES, nameOfRight, parseScope } from '../../protocol/rights.js'
import type { Operation } from '../../storage/storage.js'
import type { Committed } from '../../trust-log/trust-log.js'
import { requireGrant, type UseGrantDeps, usingGrant } from './grant.js'
import { actsAlone, refuseMember } from './read-metadata.js'

export interface RegisterClientDeps extends UseGrantDeps {
  readonly agents: AgentsStore
  readonly registeredClients: RegisteredClientsStore
  readonly clientUses: ClientUsesStore
  readonly registeredKeys: RegisteredKeysStore
  readonly random: Random
  readonly audit: Audit
  readonly issuer: string
  readonly commitAgent: (orgId: OrgId, commit: CountedCommit) => Promise<Committed>
  readonly commitExternalClient: (orgId: OrgId, commit: CountedCommit) => Promise<Committed>
}

export interface ClientRegistered {
  readonly client: RegisteredClient
  /** Returned only here, because only its hash is stored. */
  readonly registrationAccessToken: string
}

interface Registration {
  readonly metadata: ClientMetadata
  /** The initial access token. Absent in mode `open`. */
  readonly token?: string | undefined
  readonly now: number
}

const TOKEN_BYTES = 32
const MAX_ATTEMPTS = 40

/**
 * Registers a client. With grant types of its own it becomes an agent of the organisation that issued the initial access token, with at most the
 * ceiling of the grant; otherwise an external client. One commit takes one use of the grant and writes the client.
 *
 * @see [RFC 7591 §3](https://www.rfc-editor.org/rfc/rfc7591.html#section-3)
 */
export async function registerClient(deps: RegisterClientDeps, { metadata, token, now }: Registration): Promise<ClientRegistered> {
  const registrationAccessToken = deps.random.token(TOKEN_BYTES)
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const grant = token === undefined ? undefined : await requireGrant(deps, token, now)
    const client: Omit<RegisteredClient, 'id'> = {
      ...(grant && { orgId: grant.orgId }),
      ...(grant?.redirectHosts && { redirectHosts: grant.redirectHosts }),
      metadata,
      tokenHash: digestOfText(registrationAccessToken),
      epoch: deps.trustLog.epoch,
      createdAt: now,
      expiresAt: now + REGISTRATION_SECONDS,
    }
    const registered = grant && actsAlone(metadata) ? await saveAgent(deps, grant, client) : await saveExternalClient(deps, grant, client)
    if (registered) return { client: registered, registrationAccessToken }
    await deps.trustLog.readBarrier()
  }
  return refuse('unavailable', 'too many registrations at once: try again in a second', { retryAfterSeconds: 1 })
}

/** Undefined if another registration with the same grant or name was first. */
async function saveAgent(
  deps: RegisterClientDeps,
  grant: RegistrationGrant,
  registered: Omit<RegisteredClient, 'id'>,
): Promise<RegisteredClient | undefined> {
  const { orgId, grantedBy } = grant
  const { metadata, createdAt, epoch } = registered
  const agent = newAgent(deps.random, {
    orgId,
    name: metadata.client_name ?? `client ${deps.random.token(6)}`,
    ceiling: ceilingWithin(grant.ceiling, metadata.scope),
    introductionPolicy: IntroductionPolicy.parse({ mode: 'ask' }),
    grantedBy: [...grantedBy],
    createdAt,
  })
  const naming = await namingOperations(deps, agent)
  const entry = newId(deps.random, 'ent')
  const client: RegisteredClient = { id: agent.id, ...registered, entry }
  const { outcome } = await deps.commitAgent(orgId, (counting) =>
    deps.trustLog.commit({
      id: entry,
      type: 'agent.registered',
      digest: metadataDigest(client),
      dependsOn: grant.dependsOn,
      operations: [
        ...counting,
        usingGrant(deps, grant),
        deps.agents.inserting(agent),
        ...naming,
        deps.agents.registrations.inserting({
          agentId: agent.id,
          registeredBy: grant.issuer,
          epoch,
          expiresAt: createdAt + REGISTRATION_SECONDS,
        }),
        deps.registeredClients.inserting(client),
        deps.audit.recording({ orgId, actor: agent.id, action: 'oauth.register', outcome: 'done', subject: grant.id }),
      ],
    }),
  )
  return outcome === 'committed' ? client : undefined
}

async function saveExternalClient(
  deps: RegisterClientDeps,
  grant: RegistrationGrant | undefined,
  registered: Omit<RegisteredClient, 'id'>,
): Promise<RegisteredClient | undefined> {
  const { random, audit } = deps
  if (!grant && registered.metadata.grant_types.some((type) => type.endsWith(':token-exchange')))
    refuseMember('/grant_types', 'token exchange is for agents: register with an initial access token')
  if (registered.metadata.client_name !== undefined) asMetadataFault(() => requireReadableName(registered.metadata.client_name ?? ''))
  const [id, entry] = [newId(random, 'cli'), newId(random, 'ent')]
  const client: RegisteredClient = {
    id,
    handle: newHandle(random, 'cli'),
    ver: newHandle(random, 'ver'),
    entry,
    ...registered,
  }
  const commit: CountedCommit = async (counting) =>
    deps.trustLog.commit({
      id: entry,
      type: 'client.registered',
      digest: metadataDigest(client),
      dependsOn: grant?.dependsOn ?? [],
      operations: [
        ...counting,
        ...(grant ? [usingGrant(deps, grant)] : []),
        deps.registeredClients.inserting(client),
        ...(grant
          ? [
              await usingClient(deps, { orgId: grant.orgId, clientId: id, createdAt: registered.createdAt }),
              audit.recording({
                orgId: grant.orgId,
                actor: grant.issuer,
                action: 'oauth.register',
                outcome: 'done' as const,
                subject: client.id,
              }),
            ]
          : []),
      ],
    })
  const { outcome } = grant ? await deps.commitExternalClient(grant.orgId, commit) : await commit([])
  return outcome === 'committed' ? client : undefined
}

/** The ceiling of a grant, for the scopes that a client asks for; without `scope` the whole. A scope that it lacks is refused, not left out. */
export function ceilingWithin(ceiling: Ceiling, scope: string | undefined): Ceiling {
  if (scope === undefined) return ceiling
  const rights = (parseScope(scope) ?? []).flatMap((asked) => {
    const covering = ceiling.rights.filter((right) => coveredBySome([right.scope], asked))
    return covering.length > 0
      ? covering.map(({ audience }) => ({ audience, scope: asked }))
      : refuseMember('/scope', `has a scope that the client may not have: ${asked}`)
  })
  const distinct = [...new Map(rights.map((right) => [nameOfRight(right), right])).values()]
  return distinct.length > MAX_NAMES ? refuseMember('/scope', `stands for more than ${MAX_NAMES} rights`) : { ...ceiling, rights: distinct }
}

/** Operations that give an agent its name. A name that it cannot have is a fault of the metadata (RFC 7591 §3.2.2). */
export async function namingOperations(
  deps: Pick<RegisterClientDeps, 'agents' | 'registeredKeys' | 'trustLog'>,
  agent: Pick<Agent, 'id' | 'orgId' | 'name'>,
): Promise<readonly Operation[]> {
  asMetadataFault(() => requireReadableName(agent.name))
  return takingName(deps, agent.orgId, agent).catch((error: unknown) => refuseName(error))
}

function asMetadataFault(check: () => void): void {
  try {
    check()
  } catch (error) {
    refuseName(error)
  }
}

const refuseName = (error: unknown): never => {
  if (isRefusal(error)) return refuseMember('/client_name', error.message)
  throw error
}
