// Finds clients whose `client_id` is the URL of their metadata (Client ID Metadata Document).
//
// A document of a client that an organisation has admitted (`agents.admit`) is stored, and counts until it is no longer fresh; then it is fetched again.
// A change of what decides about the client gives the record a new version, which ends the tokens of the old one. The document of any other client
// is only cached in memory, so strangers write nothing.
// Limits: the rates of `takeOutgoingRate`; at most MAX_CACHED documents in memory; one fetch at a time for each URL, none for FAILED_SECONDS after a
// failure, and one a minute for an unknown `kid`. If the fetch for an unknown `kid` is refused or fails, the known document counts while it is fresh.
import type { Audit } from '../../audit/audit.js'
import { digestOfJson } from '../../credentials/jose/digest.js'
import { isRefusal } from '../../errors.js'
import { addressPrefix } from '../../http/limits/address-prefix.js'
import type { Client, ExternalClient } from '../../identity/clients/client.js'
import type { SeenAssertion } from '../../identity/clients/clients.js'
import type { ClientMetadata } from '../../identity/clients/metadata.js'
import { keysOfMetadata } from '../../identity/clients/metadata-keys.js'
import type { ClientDocument, ClientDocumentsStore } from '../../identity/clients/store.js'
import { BoundedMap } from '../../lib/bounded-map.js'
import type { Cause, GuardedFetch } from '../../lib/guarded-fetch/guarded-fetch.js'
import type { Random } from '../../lib/random.js'
import { newHandle } from '../../protocol/handles.js'
import type { AgentId, ClientUri } from '../../protocol/ids.js'
import { dependenciesOf, joinDependencies } from '../../protocol/standing.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { type FetchedDocument, fetchClientDocument } from './client-document.js'
import { readClientUri } from './client-uri.js'

interface ClientDocumentsDeps {
  readonly clientDocuments: ClientDocumentsStore
  readonly guardedFetch: GuardedFetch
  readonly findAgent: (id: AgentId) => Promise<Client | undefined>
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
  readonly issuer: string
  readonly dev: boolean
}

/** Undefined for every text that is no such URL, and for a document that cannot be fetched or breaks a rule. */
type FindByDocument = (clientId: string, seen: SeenAssertion) => Promise<Client | ExternalClient | undefined>

type Known = Pick<ClientDocument, 'metadata' | 'fetchedAt' | 'freshUntil'>

const MAX_CACHED = 1000
const FAILED_SECONDS = 10
const REFETCH_SECONDS = 60

export function newClientDocuments(deps: ClientDocumentsDeps): FindByDocument {
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
      return knownOf(await fetchClientDocument(deps, uri, cause), trustLog.now())
    } catch (error) {
      if (!isRefusal(error) || error.reason === 'rate_limited' || error.reason === 'unavailable') throw error
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

  const findAdmitted = async (document: ClientDocument, seen: SeenAssertion): Promise<Client | undefined> => {
    // After a restore the record may name a version that has ended
    const isStanding = !trustLog.ended.has(document.ver)
    const current =
      isStanding && isFresh(document) ? await orRefetched(document, seen, () => refetch(document, true)) : await refetch(document, false)
    return current && clientOf(deps, current)
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
      dependencies: dependenciesOf([trustLog.epoch]),
      keys: keysOfMetadata(current.metadata, trustLog.epoch),
    }
  }

  return async (clientId, seen) => {
    const read = readClientUri(clientId, deps)
    if (typeof read === 'string') return undefined
    const document = await clientDocuments.get(read.uri)
    return document ? findAdmitted(document, seen) : findStranger(read.uri, seen)
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

/** An admitted client: the agent, with the keys of the document, which stand as long as the version of the record. */
async function clientOf({ findAgent }: ClientDocumentsDeps, document: ClientDocument): Promise<Client | undefined> {
  const { uri, agentId, handle, ver, metadata, confirmedAt } = document
  const agent = await findAgent(agentId)
  return (
    agent && {
      ...agent,
      clientUri: uri,
      dependencies: joinDependencies(agent.dependencies, dependenciesOf([handle, ver])),
      keys: keysOfMetadata(metadata, ver).map((key) => (confirmedAt === undefined ? { ...key, isUnproved: true as const } : key)),
      grantTypes: metadata.grant_types,
    }
  )
}

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
  const { uri, ver, handle, orgId, agentId } = document
  // The admission was for a client that authenticates
  if (fetched.metadata.token_endpoint_auth_method !== 'private_key_jwt') return undefined
  if (decisionOf(fetched.metadata) === decisionOf(document.metadata) && !deps.trustLog.ended.has(ver))
    return (await deps.clientDocuments.change(uri, { ver }, fetched)) ?? deps.clientDocuments.get(uri)
  const next = { ...fetched, ver: newHandle(deps.random, 'ver') }
  await deps.trustLog.commit({
    type: 'record.changed',
    ends: [{ handle: ver }],
    dependsOn: [handle],
    operations: [
      deps.clientDocuments.changing(uri, { ver }, next),
      deps.audit.recording({ orgId, actor: agentId, action: 'oauth.register', outcome: 'done', subject: agentId }),
    ],
  })
  return deps.clientDocuments.get(uri)
}
