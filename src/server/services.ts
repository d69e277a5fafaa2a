// Constructs every feature and passes it the other features that it needs. No other file does so.

import { readFileSync } from 'node:fs'
import { newAudit, type RunningAudit } from '../audit/audit-log.js'
import { logOrigin } from '../credentials/checkpoint.js'
import { inboxStore } from '../delegation/inbox/store.js'
import { capabilityStore } from '../delegation/introductions/capability/store.js'
import { notifyOfChanges, notifyOfRefusal } from '../delegation/introductions/decide/needs-approval.js'
import { entitlementOf, introducedTo } from '../delegation/introductions/entitle.js'
import { findGranted, introductionsGrantedBy } from '../delegation/introductions/find.js'
import { introductionsStore } from '../delegation/introductions/store.js'
import { findDecider, findOperated, findResource, type ResourceAudience } from '../delegation/resources/find.js'
import { introduceToOpen } from '../delegation/resources/introduce-to-open.js'
import { resourcesStore } from '../delegation/resources/store.js'
import { findTask, tasksGrantedBy } from '../delegation/tasks/find.js'
import { tasksStore } from '../delegation/tasks/store.js'
import { newProfiles } from '../delegation/uses/find.js'
import { usesStore } from '../delegation/uses/store.js'
import type { Caller } from '../http/caller.js'
import { newFailureLog } from '../http/handler/failure-log.js'
import { newConcurrencyLimit, SEARCH_LIMITS } from '../http/limits/concurrency-limit.js'
import { newRateLimits, takeOutgoingRate } from '../http/limits/rate-limit.js'
import { newSocketLimit } from '../http/limits/socket-limit.js'
import type { HttpRequest } from '../http/route.js'
import { agentsGrantedBy, findIntroductionTarget, readAgentClient } from '../identity/agents/find.js'
import { orgOfOwner } from '../identity/agents/owner.js'
import { agentsStore } from '../identity/agents/store.js'
import type { Client, ClientKey, ExternalClient } from '../identity/clients/client.js'
import { newClients } from '../identity/clients/clients.js'
import { readMemberClient } from '../identity/clients/member-client.js'
import { confirmAdmitted, confirmExternalClient, registerProvedKey } from '../identity/clients/prove-key.js'
import { readExternalClient } from '../identity/clients/self-registered.js'
import { clientDocumentsStore, registeredClientsStore } from '../identity/clients/store.js'
import { keysGrantedBy } from '../identity/keys/find.js'
import { registeredKeysStore } from '../identity/keys/store.js'
import { newLimitsInForce } from '../identity/limits/in-force.js'
import { type ConfiguredLimits, configuredMaximum } from '../identity/limits/limits.js'
import { quotasStore } from '../identity/limits/quotas-store.js'
import { limitsStore } from '../identity/limits/store.js'
import { membersGrantedBy } from '../identity/members/find.js'
import { membersStore } from '../identity/members/store.js'
import { namespacesStore } from '../identity/namespaces/store.js'
import { organisationsGrantedBy } from '../identity/organisations/find.js'
import { organisationsStore } from '../identity/organisations/store.js'
import { type Registration, registrationGrantsStore } from '../identity/registrations/store.js'
import type { Clock } from '../lib/clock.js'
import type { Outgoing } from '../lib/guarded-fetch/destination.js'
import { newGuardedFetch } from '../lib/guarded-fetch/guarded-fetch.js'
import { type Resolver, systemResolver } from '../lib/hosts/resolver.js'
import type { Log } from '../lib/log.js'
import type { Random } from '../lib/random.js'
import { type Metrics, newMetrics } from '../lib/telemetry/metrics.js'
import { authenticateRequest } from '../oauth/client-auth/authenticate.js'
import { isCalledFor } from '../oauth/lineage.js'
import { fetchDocumentFor } from '../oauth/registration/client-document.js'
import { newClientDocuments } from '../oauth/registration/client-documents.js'
import { tokensStore } from '../oauth/store.js'
import { newTokenKeys } from '../oauth/token-keys.js'
import type { Handle } from '../protocol/handles.js'
import { type AgentId, type IntroductionId, isResourceId, type TargetId, type TaskId, type TokenId } from '../protocol/ids.js'
import type { KeyOwner } from '../protocol/key-statement.js'
import type { Barrier } from '../protocol/standing.js'
import { freshnessStore } from '../registry/cards/freshness/store.js'
import { cachedReliance, findReliance } from '../registry/cards/reliance/find.js'
import { cardsStore } from '../registry/cards/store.js'
import { newHub } from '../revocations/hub.js'
import { newRevocationSignals } from '../revocations/revocation-signals.js'
import { newTickets } from '../revocations/tickets.js'
import { newKeyRing } from '../signing-keys/key-ring.js'
import { newKeyVersions } from '../signing-keys/key-versions.js'
import { newReplayCache } from '../storage/replay-cache.js'
import type { CardTier, Storage } from '../storage/storage.js'
import type { ClockMode } from '../trust-log/clock-rule.js'
import {
  type CosignatureCollection,
  type Cosigner,
  collectCosignatures,
  newCosignedCheckpoints,
} from '../trust-log/cosignatures/collect.js'
import { newTrustLog } from '../trust-log/new-trust-log.js'
import { updateWitness, type WitnessStore, type WitnessUpdates } from '../trust-log/witness/witness.js'
import { AUDIT_ACTIONS } from './api/procedures.js'
import { newQuotas } from './quotas.js'
import { requireRoom } from './readiness.js'

/** The dependencies of one instance. Instances may share the store, and nothing else. */
export interface ServiceDeps {
  readonly storage: Storage
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly issuer: string
  readonly dev: boolean
  /** Default: `checked`, in development mode `dev`. */
  readonly clockMode?: ClockMode
  /** Default: `on`. With `off`, there are no rates and quotas. Values replace the default maximum of an organisation. */
  readonly limits?: ConfiguredLimits
  /** Default: `off`, in development mode `public`. */
  readonly outgoing?: Outgoing
  /** Whether resources that accept bearer tokens get them. Default: only in development mode. */
  readonly bearerTokens?: boolean
  /** Who may register a client at /oauth/register. Default: `closed`. */
  readonly registration?: Registration
  /** Default: the name servers of this machine. */
  readonly resolver?: Resolver
  /** Certificate authorities for outgoing requests. Default: those of Node. */
  readonly ca?: string
  /** Remembers the head of the log outside the store. Without it, the registry cannot notice that the store was restored from a backup. */
  readonly witness?: WitnessStore
  readonly metrics?: Metrics
  /** Witnesses that cosign the checkpoints of the log (C2SP tlog-witness). */
  readonly cosigners?: readonly Cosigner[]
}

export const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string } // our own package.json

export type Services = Awaited<ReturnType<typeof startServices>>

/** Constructs all features and starts those that run in the background. If one fails to start, those that have started are closed. */
export async function startServices(deps: ServiceDeps) {
  const { clock, log, witness, cosigners = [] } = deps
  const base = newBase(deps)
  const { trustLog, keyRing, audit } = base
  const stores = newStores(base)
  const clients = newClients(trustLog, {
    member: (id) => readMemberClient(stores, id),
    agent: (id) => readAgentClient(stores, id),
    external: (id) => readExternalClient(stores, id),
    document: (id, seen) => findByDocument(id, seen),
  })
  const findByDocument = newClientDocuments({ ...stores, findAgent: clients.find })
  const services = {
    ...stores,
    ...newFinders(stores),
    findClient: clients.find,
    clients,
    registerProvedKey: (client: Client, key: ClientKey) =>
      client.clientUri ? confirmAdmitted(stores, client) : registerProvedKey(stores, client, key),
    fetchClientDocument: (clientId: string, caller: Pick<Caller, 'id' | 'orgId'>) => fetchDocumentFor(stores, clientId, caller),
    confirmExternalClient: (client: ExternalClient) => confirmExternalClient(stores, client),
    tokenKeys: newTokenKeys({ keyRing, clock }),
  }
  const forTasks = { isCalledFor: (agentId: AgentId, taskId: TaskId) => isCalledFor(services, agentId, taskId) }
  const cosigned = newCosignedCheckpoints(base)
  const closers: (() => Promise<void>)[] = []
  let updates: WitnessUpdates | undefined
  let cosignatures: CosignatureCollection | undefined
  const start = async (service: { start(): Promise<void>; close(): Promise<void> }) => {
    closers.unshift(service.close)
    await service.start()
  }
  const close = async () => {
    for (const closeService of closers) await closeService()
  }
  try {
    await start(trustLog)
    if (witness) {
      updates = updateWitness(witness, trustLog, { clock, log })
      closers.unshift(updates.close)
    }
    await start(keyRing)
    await start(audit)
    if (cosigners.length > 0) {
      cosignatures = collectCosignatures({ ...base, cosigners })
      closers.unshift(cosignatures.close)
    }
  } catch (error) {
    await close()
    throw error
  }
  return {
    ...services,
    witnessState: () => updates?.state(),
    cosignerState: () => cosignatures?.state(),
    cosigned: cosigners.length > 0 ? cosigned : undefined,
    authenticate: (request: HttpRequest) => authenticateRequest(services, request),
    auditActions: AUDIT_ACTIONS,
    isCalledFor: forTasks.isCalledFor,
    bearerTokens: deps.bearerTokens ?? deps.dev,
    introduceToOpen: (client: Client, audience: ResourceAudience, barrier: Barrier) =>
      introduceToOpen({ ...services, ...forTasks }, client, audience, barrier),
    hub: newHub({ trustLog }),
    revocationSignals: newRevocationSignals({ trustLog, clock }),
    tickets: newTickets({ ...base, findClient: clients.find }),
    close,
  }
}

/** The services that every feature may need: trust log, signing keys, replay cache, audit and outgoing requests. */
function newBase(deps: ServiceDeps) {
  const {
    storage,
    clock,
    random,
    log,
    issuer,
    dev,
    clockMode = dev ? 'dev' : 'checked',
    limits = 'on',
    witness,
    metrics = newMetrics(),
  } = deps
  const writer = random.token(8)
  const name = logOrigin(issuer)
  const logSigners = () => Promise.all([keyRing.signer('log'), keyRing.signer('log-ed25519')])
  const trustLog = newTrustLog({ storage, clock, random, log, writer, name, logSigners, witness, clockMode, metrics })
  const keyVersions = newKeyVersions({ storage, trustLog })
  const keyRing = newKeyRing({ storage, keyVersions, trustLog, clock, random, log })
  const replayCache = newReplayCache(storage)
  const audit: RunningAudit = newAudit({ storage, clock, log, writer, trustLog })
  const liveInstances = storage.liveInstances ?? (() => 1)
  const rateLimits = newRateLimits(limits === 'off' ? 'off' : 'on', { monotonicMs: clock.monotonicMs, liveInstances })
  const limitsInForce = newLimitsInForce({ limitsStore: limitsStore({ storage }), clock }, configuredMaximum(limits))
  const { resolver = systemResolver, outgoing = { mode: dev ? 'public' : 'off', allow: [] }, registration = 'closed', ca } = deps
  const guardedFetch = newGuardedFetch({
    outgoing,
    issuer,
    dev,
    resolver,
    clock,
    log,
    ca,
    metrics,
    takeRate: (request) => takeOutgoingRate(rateLimits, request),
  })
  const base = {
    storage,
    trustLog,
    clock,
    random,
    log,
    issuer,
    dev,
    outgoing,
    registration,
    version,
    keyVersions,
    keyRing,
    replayCache,
    audit,
    resolver,
    guardedFetch,
    metrics,
    logFailure: newFailureLog({ log, clock }),
    requireRoom: (isFor: 'creation' | 'token') => requireRoom(storage, isFor),
  }
  return { ...base, liveInstances, rateLimits, limits: limitsInForce, sockets: newSocketLimit() }
}

function newStores(base: ReturnType<typeof newBase>) {
  const registeredKeys = registeredKeysStore(base)
  const uses = usesStore(base)
  return {
    ...base,
    organisations: organisationsStore(base),
    limitsStore: limitsStore(base),
    quotas: quotasStore(base),
    registeredKeys,
    members: membersStore(base),
    agents: agentsStore(base),
    registeredClients: registeredClientsStore(base),
    clientDocuments: clientDocumentsStore(base),
    registrationGrants: registrationGrantsStore(base),
    namespaces: namespacesStore(base),
    inbox: inboxStore(base),
    tasks: tasksStore(base),
    resources: resourcesStore(base),
    cards: cardsStore(base),
    freshness: freshnessStore(base),
    introductions: introductionsStore(base),
    capabilities: capabilityStore(base),
    tokens: tokensStore(base),
    uses,
    profiles: newProfiles({ ...base, uses }),
    cardSearch: base.storage.cards,
    searchLimits: {
      authenticated: searchLimitOf(base, 'authenticated'),
      anonymous: searchLimitOf(base, 'anonymous'),
    },
  }
}

const searchLimitOf = ({ metrics }: ReturnType<typeof newBase>, caller: keyof typeof SEARCH_LIMITS) =>
  newConcurrencyLimit(SEARCH_LIMITS[caller], (seconds) => metrics.queueSeconds.observe({ queue: `search_${caller}` }, seconds))

/** Functions of one feature that another feature calls. */
const newFinders = (stores: ReturnType<typeof newStores>) => ({
  ...newQuotas(stores),
  ...newIntroductionFinders(stores),
  findTarget: async (id: TargetId) => (isResourceId(id) ? (await findResource(stores, id))?.target : findIntroductionTarget(stores, id)),
  findResource: (uriOrId: string) => findResource(stores, uriOrId),
  findTask: (id: TaskId) => findTask(stores, id),
  findTokenRecord: (id: TokenId) => stores.tokens.get(id),
  orgOfOwner: (owner: KeyOwner) => orgOfOwner(stores, owner),
  grantedBy: async (handle: Handle, since: number) =>
    (
      await Promise.all([
        organisationsGrantedBy(stores, handle, since),
        membersGrantedBy(stores, handle, since),
        keysGrantedBy(stores, handle, since),
        agentsGrantedBy(stores, handle, since),
        tasksGrantedBy(stores, handle, since),
        introductionsGrantedBy(stores, handle, since),
      ])
    ).flat(),
})

/** What introductions allow, by the current cards of their targets. */
function newIntroductionFinders(stores: ReturnType<typeof newStores>) {
  const finders = {
    findReliance: async (id: TargetId, tier?: CardTier) =>
      isResourceId(id) ? (await findResource(stores, id))?.offer : findReliance(stores, id, tier),
    cachedReliance: async (id: TargetId) => (isResourceId(id) ? (await findResource(stores, id))?.offer : cachedReliance(stores, id)),
    findDecider: (to: TargetId) => findDecider(stores, to),
  }
  const deps = { ...stores, ...finders }
  return {
    ...finders,
    findOperated: (id: AgentId) => findOperated(stores, id),
    findGranted: (from: AgentId, to: TargetId) => findGranted(stores, from, to),
    entitle: (caller: Caller, id: AgentId) => entitlementOf(deps, caller, id),
    introducedTo: (caller: Caller) => introducedTo(deps, caller),
    notifyOfChanges: (to: AgentId) => notifyOfChanges(deps, to),
    notifyOfRefusal: (affected: readonly { readonly id: IntroductionId }[]) => notifyOfRefusal(deps, affected),
  }
}
