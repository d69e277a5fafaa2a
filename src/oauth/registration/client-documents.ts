// Finds clients whose `client_id` is the URL of their metadata (Client ID Metadata Document).
//
// A document of a client that an organisation uses is stored: it has admitted the client (`agents.admit`), or a resource of it lets any client in. It
// counts until it is no longer fresh; then it is fetched again, which each of these organisations can read in its audit log.
// A change of what decides about the client gives the record a new version, which ends the tokens of the old one. The document of any other client
// is only cached in memory, so strangers write nothing.
// Several organisations may admit one URL. `actingAs` chooses the agent by the request, so that an admission cannot divert the client from another
// organisation.
// Limits: the rates of `takeOutgoingRate`; at most MAX_CACHED documents in memory; one fetch at a time for each URL, none for FAILED_SECONDS after a
// failure, and one a minute for an unknown `kid`. If the fetch for an unknown `kid` is refused or fails, the known document counts while it is fresh.
import type { Audit } from '../../audit/audit.js'
import { digestOfJson } from '../../credentials/jose/digest.js'
import type { ResourceAudience } from '../../delegation/resources/find.js'
import { isRefusal } from '../../errors.js'
import { addressPrefix } from '../../http/limits/address-prefix.js'
import type { IntroductionTarget } from '../../identity/agents/agent.js'
import { type Admission, admissionsOf, findAdmission, newDocument, usesOf, usingClient } from '../../identity/clients/admissions.js'
import type { Client, ExternalClient } from '../../identity/clients/client.js'
import type { SeenAssertion } from '../../identity/clients/clients.js'
import { changesUpTo } from '../../identity/clients/metadata/changes.js'
import { askingPartOf, type ClientMetadata } from '../../identity/clients/metadata/metadata.js'
import { keysOfMetadata, recognisedIn } from '../../identity/clients/metadata/metadata-keys.js'
import type { ClientDocument, ClientDocumentsStore, ClientUsesStore } from '../../identity/clients/store.js'
import type { CountedCommit } from '../../identity/limits/quota.js'
import { BoundedMap } from '../../lib/bounded-map.js'
import type { Cause, GuardedFetch } from '../../lib/guarded-fetch/guarded-fetch.js'
import type { Random } from '../../lib/random.js'
import { newHandle } from '../../protocol/handles.js'
import { AgentId, agentOfAudience, type ClientUri, type OrgId, type TargetId } from '../../protocol/ids.js'
import { dependenciesOf, joinDependencies, stands } from '../../protocol/standing.js'
import type { Committed, TrustLog } from '../../trust-log/trust-log.js'
import { readClientUri } from './client-uri.js'
import { type FetchedDocument, fetchClientDocument } from './fetch-document.js'

interface ClientDocumentsDeps {
  readonly clientDocuments: ClientDocumentsStore
  readonly clientUses: ClientUsesStore
  readonly guardedFetch: GuardedFetch
  readonly findAgent: (id: AgentId) => Promise<Client | undefined>
  readonly findResource: (uri: string) => Promise<ResourceAudience | undefined>
  readonly findTarget: (id: TargetId) => Promise<Pick<IntroductionTarget, 'introductionPolicy'> | undefined>
  readonly findGranted: (from: AgentId, to: TargetId) => Promise<readonly unknown[]>
  /** Commits a document that counts for the registry. */
  readonly commitClientDocument: (orgId: OrgId, commit: CountedCommit) => Promise<Committed>
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
  readonly issuer: string
  readonly dev: boolean
}

interface ClientsByDocument {
  /** Undefined for every text that is no such URL, and for a document that cannot be fetched or breaks a rule. */
  readonly find: (clientId: string, seen: SeenAssertion) => Promise<Client | ExternalClient | undefined>
  /** Stores the document of a client that is about to get its first token, for an organisation that lets it in. Undefined if it is not known any more. */
  readonly save: (uri: ClientUri, orgId: OrgId) => Promise<ExternalClient | undefined>
}

type Known = Pick<ClientDocument, 'metadata' | 'fetchedAt' | 'freshUntil'>

const MAX_CACHED = 1000
const FAILED_SECONDS = 10
const REFETCH_SECONDS = 60

export function newClientDocuments(deps: ClientDocumentsDeps): ClientsByDocument {
  const { trustLog, clientDocuments } = deps
  const cached = new BoundedMap<string, Known>(MAX_CACHED)
  const failedAt = new BoundedMap<string, number>(MAX_CACHED)
  const fetching = new Map<string, Promise<Known | undefined>>()

  /** One fetch at a time for a URL (and another one for an unknown `kid`). Refusals that ask to retry are passed on; every other failure is the same to the caller. */
  const fetchOnce = (uri: ClientUri, cause: Cause): Promise<Known | undefined> => {
    if (Math.abs(trustLog.now() - (failedAt.get(uri) ?? Number.NEGATIVE_INFINITY)) < FAILED_SECONDS) return Promise.resolve(undefined)
    const name = isForKid(cause) ? `kid ${uri}` : uri
    const running = fetching.get(name) ?? fetchKnown(uri, cause).finally(() => fetching.delete(name))
    fetching.set(name, running)
    return running
  }
  const fetchKnown = async (uri: ClientUri, cause: Cause): Promise<Known | undefined> => {
    try {
      const fetched = await fetchClientDocument(deps, uri, cause)
      if ('knownUrl' in cause) await recordFetch(deps, uri, 'done')
      return knownOf(fetched, trustLog.now())
    } catch (error) {
      if (!isRefusal(error) || error.reason === 'rate_limited' || error.reason === 'unavailable') throw error
      if ('knownUrl' in cause) await recordFetch(deps, uri, 'refused')
      // Their own rate limits the others
      if (!isForKid(cause)) failedAt.set(uri, trustLog.now())
      return undefined
    }
  }

  const isFresh = ({ fetchedAt, freshUntil }: Known): boolean => trustLog.now() >= fetchedAt && trustLog.now() < freshUntil
  /** A fresh document; if it lacks the `kid` and is older than a minute, the one that `refetch` returns, if any. */
  const orRefetched = async <K extends Known>(known: K, { kid }: SeenAssertion, refetch: () => Promise<K | undefined>): Promise<K> => {
    const keys = keysOfMetadata(known.metadata, trustLog.epoch)
    const isKnownKid = kid === undefined || keys.some(({ jkt, jwk }) => kid === jkt || kid === jwk.kid)
    if (isKnownKid || trustLog.now() < known.fetchedAt + REFETCH_SECONDS) return known
    return (await unlessRefused(refetch)) ?? known
  }

  const findStored = async (document: ClientDocument, seen: SeenAssertion): Promise<Client | ExternalClient | undefined> => {
    // After a restore the record may name a version that has ended
    const isStanding = !trustLog.ended.has(document.ver)
    const current =
      isStanding && isFresh(document) ? await orRefetched(document, seen, () => refetch(document, true)) : await refetch(document, false)
    return current && actingAs(deps, current, seen)
  }
  const refetch = async (document: ClientDocument, forKid: boolean): Promise<ClientDocument | undefined> => {
    const fetched = await fetchOnce(document.uri, { knownUrl: document.uri, isForKid: forKid })
    return fetched && saveFetched(deps, document, fetched)
  }
  const findStranger = async (uri: ClientUri, seen: SeenAssertion): Promise<ExternalClient | undefined> => {
    const known = cached.get(uri)
    const refetched = () => fetchOnce(uri, { address: addressPrefix(seen.address) })
    const current = known && isFresh(known) ? await orRefetched(known, seen, refetched) : await refetched()
    if (current === undefined) return undefined
    cached.set(uri, current)
    return {
      kind: 'external',
      id: uri,
      clientUri: uri,
      grantTypes: current.metadata.grant_types,
      ...askingPartOf(current.metadata),
      dependencies: dependenciesOf([trustLog.epoch]),
      keys: keysOfMetadata(current.metadata, trustLog.epoch),
    }
  }

  return {
    find: async (clientId, seen) => {
      const read = readClientUri(clientId, deps)
      if (typeof read === 'string') return undefined
      const document = await clientDocuments.get(read.uri)
      if (document) return findStored(document, seen)
      return seen.agentId === undefined ? findStranger(read.uri, seen) : undefined
    },
    save: async (uri, orgId) => {
      const known = cached.get(uri)
      if (known === undefined) return undefined
      const document = newDocument(deps, uri, known)
      const { id } = document
      await deps.commitClientDocument(orgId, async (counting) =>
        trustLog.commit({
          type: 'client.registered',
          dependsOn: [],
          operations: [
            ...counting,
            clientDocuments.inserting(document),
            await usingClient(deps, { orgId, clientId: id, uri, createdAt: known.fetchedAt }),
            deps.audit.recording({ orgId, actor: id, action: 'oauth.register', outcome: 'done', subject: id }),
          ],
        }),
      )
      const stored = await clientDocuments.get(uri)
      return stored && externalOf(stored)
    },
  }
}

const isForKid = (cause: Cause): boolean => 'knownUrl' in cause && cause.isForKid

const unlessRefused = <T>(work: () => Promise<T>): Promise<T | undefined> =>
  work().catch((error: unknown) => {
    if (isRefusal(error)) return undefined
    throw error
  })

const knownOf = ({ metadata, freshSeconds }: FetchedDocument, now: number): Known => ({
  metadata,
  fetchedAt: now,
  freshUntil: now + freshSeconds,
})

/**
 * The client as it acts in a request: as the agent that `agent_id` names; by itself towards a resource that lets any client in; otherwise as its only agent,
 * or as the only one that is introduced to the audience. A client without agent acts by itself. One whose agent is not certain must name it: an organisation
 * that admits the URL must not get the requests that are meant for another.
 */
async function actingAs(
  deps: ClientDocumentsDeps,
  document: ClientDocument,
  { agentId, audience }: SeenAssertion,
): Promise<Client | ExternalClient | undefined> {
  if (agentId !== undefined) return namedAgent(deps, document, agentId)
  const resource = audience === undefined ? undefined : (await deps.findResource(audience))?.resource
  if (resource?.policy.externalClients === 'any') return externalOf(document)
  const admissions = await admissionsOf(deps, document)
  const found = await Promise.all(admissions.map((admission) => admittedClient(deps, document, admission)))
  const agents = found.filter((agent) => agent !== undefined)
  if (agents.length <= 1) return agents[0] ?? externalOf(document)
  const target = resource?.id ?? (audience === undefined ? undefined : agentOfAudience(deps.issuer, audience))
  const introduced = target === undefined ? [] : await introducedTo(deps, agents, target)
  return introduced.length === 1 ? introduced[0] : { ...externalOf(document), mustNameAgent: true }
}

async function namedAgent(deps: ClientDocumentsDeps, document: ClientDocument, id: string): Promise<Client | undefined> {
  const agentId = AgentId.safeParse(id)
  const agent = agentId.success ? await deps.findAgent(agentId.data) : undefined
  const admission = agent && (await findAdmission(deps, { id: agent.id, orgId: agent.orgId, clientUri: document.uri }))
  return admission && admittedClient(deps, document, admission)
}

/** The agents that were introduced to a target by a decision. An open policy introduces every agent, so it does not tell for which one a request is meant. */
async function introducedTo(deps: ClientDocumentsDeps, agents: readonly Client[], target: TargetId): Promise<readonly Client[]> {
  if ((await deps.findTarget(target))?.introductionPolicy.mode === 'open') return []
  const granted = await Promise.all(agents.map(({ id }) => deps.findGranted(AgentId.parse(id), target)))
  return agents.filter((_, i) => (granted[i] ?? []).length > 0)
}

/** An admitted client: the agent, with the keys of the document, which stand as long as the version of the record. Undefined if the agent does not stand. */
async function admittedClient(
  { findAgent, trustLog }: ClientDocumentsDeps,
  { uri, handle, ver, metadata }: ClientDocument,
  { agentId, confirmedAt }: Admission,
): Promise<Client | undefined> {
  const agent = await findAgent(agentId)
  if (!agent || !stands(trustLog.ended, agent.dependencies.handles)) return undefined
  return {
    ...agent,
    clientUri: uri,
    dependencies: joinDependencies(agent.dependencies, dependenciesOf([handle, ver])),
    keys: keysOfMetadata(metadata, ver).map((key) => (confirmedAt === undefined ? { ...key, isUnproved: true as const } : key)),
    grantTypes: metadata.grant_types,
    redirectUris: metadata.redirect_uris,
  }
}

const externalOf = ({ id, uri, handle, ver, metadata }: ClientDocument): ExternalClient => ({
  kind: 'external',
  id,
  clientUri: uri,
  dependencies: dependenciesOf([handle, ver]),
  keys: keysOfMetadata(metadata, ver),
  grantTypes: metadata.grant_types,
  ...askingPartOf(metadata),
})

async function organisationsUsing(deps: ClientDocumentsDeps, { id, orgId }: ClientDocument): Promise<readonly OrgId[]> {
  const uses = await usesOf(deps, id)
  return [...new Set([...(orgId ? [orgId] : []), ...uses.map((use) => use.orgId)])]
}

/** Each organisation that uses the client can read that its document was fetched. */
async function recordFetch(deps: ClientDocumentsDeps, uri: ClientUri, outcome: 'done' | 'refused'): Promise<void> {
  const document = await deps.clientDocuments.get(uri)
  if (document === undefined) return
  for (const orgId of await organisationsUsing(deps, document))
    await deps.audit.record({ orgId, actor: document.id, action: 'clients.fetch', outcome, subject: uri.slice(0, 128) })
}

const authMethodOf = ({ metadata }: Pick<Known, 'metadata'>) => metadata.token_endpoint_auth_method

/** What decides about a client. Prose does not. */
const decisionOf = ({
  redirect_uris,
  token_endpoint_auth_method,
  token_endpoint_auth_signing_alg,
  grant_types,
  jwks,
  jwks_uri,
}: ClientMetadata) =>
  digestOfJson({ redirect_uris, token_endpoint_auth_method, token_endpoint_auth_signing_alg, grant_types, jwks, jwks_uri })

/** Saves a fetched document. Undefined if it may not replace the old one. Of several instances one saves a change, and the others read it. */
async function saveFetched(deps: ClientDocumentsDeps, document: ClientDocument, fetched: Known): Promise<ClientDocument | undefined> {
  const { uri, ver, handle, id } = document
  // Organisations and people let in a client that authenticates
  if (authMethodOf(document) === 'private_key_jwt' && authMethodOf(fetched) === 'none') return undefined
  const changes = changesUpTo(fetched.fetchedAt, document.changes, recognisedIn(document.metadata), recognisedIn(fetched.metadata))
  if (decisionOf(fetched.metadata) === decisionOf(document.metadata) && !deps.trustLog.ended.has(ver))
    return (await deps.clientDocuments.change(uri, { ver }, { ...fetched, ...changes })) ?? deps.clientDocuments.get(uri)
  const next = { ...fetched, ...changes, ver: newHandle(deps.random, 'ver') }
  const orgIds = await organisationsUsing(deps, document)
  await deps.trustLog.commit({
    type: 'record.changed',
    ends: [{ handle: ver }],
    dependsOn: [handle],
    operations: [
      deps.clientDocuments.changing(uri, { ver }, next),
      ...orgIds.map((orgId) => deps.audit.recording({ orgId, actor: id, action: 'oauth.register', outcome: 'done', subject: id })),
    ],
  })
  return deps.clientDocuments.get(uri)
}
