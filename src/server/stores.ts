// What features are made of: the stores, and the services that every feature may need.

import { readFileSync } from 'node:fs'
import { newAudit, type RunningAudit } from '../audit/audit-log.js'
import { logOrigin } from '../credentials/checkpoint.js'
import { approvalsStore } from '../delegation/approvals/store.js'
import { consentsStore } from '../delegation/consents/store.js'
import { inboxStore } from '../delegation/inbox/store.js'
import { capabilityStore } from '../delegation/introductions/capability/store.js'
import { introductionsStore } from '../delegation/introductions/store.js'
import { resourcesStore } from '../delegation/resources/store.js'
import { tasksStore } from '../delegation/tasks/store.js'
import { newProfiles } from '../delegation/uses/find.js'
import { usesStore } from '../delegation/uses/store.js'
import { newFailureLog } from '../http/handler/failure-log.js'
import { newConcurrencyLimit, SEARCH_LIMITS } from '../http/limits/concurrency-limit.js'
import { newRateLimits, takeOutgoingRate } from '../http/limits/rate-limit.js'
import { newSocketLimit } from '../http/limits/socket-limit.js'
import { agentsStore } from '../identity/agents/store.js'
import { clientRulesStore } from '../identity/clients/rules/store.js'
import { clientDocumentsStore, clientUsesStore, registeredClientsStore } from '../identity/clients/store.js'
import { registeredKeysStore } from '../identity/keys/store.js'
import { levelsStore } from '../identity/levels/store.js'
import { newLimitsInForce } from '../identity/limits/in-force.js'
import { type ConfiguredLimits, configuredMaximum } from '../identity/limits/limits.js'
import { quotasStore } from '../identity/limits/quotas-store.js'
import { limitsStore } from '../identity/limits/store.js'
import { membersStore } from '../identity/members/store.js'
import { namespacesStore } from '../identity/namespaces/store.js'
import { organisationsStore } from '../identity/organisations/store.js'
import { newPairwiseIds } from '../identity/people/pairwise.js'
import { peopleStore } from '../identity/people/store.js'
import { type Registration, registrationGrantsStore } from '../identity/registrations/store.js'
import type { Clock } from '../lib/clock.js'
import type { Outgoing } from '../lib/guarded-fetch/destination.js'
import { newGuardedFetch } from '../lib/guarded-fetch/guarded-fetch.js'
import { type Resolver, systemResolver } from '../lib/hosts/resolver.js'
import type { Log } from '../lib/log.js'
import type { Random } from '../lib/random.js'
import { type Metrics, newMetrics } from '../lib/telemetry/metrics.js'
import { authorizationsStore } from '../oauth/authorize/store.js'
import { devicesStore } from '../oauth/device/store.js'
import { familiesStore } from '../oauth/families/store.js'
import { tokensStore } from '../oauth/store.js'
import { freshnessStore } from '../registry/cards/freshness/store.js'
import { cardsStore } from '../registry/cards/store.js'
import { newKeyRing } from '../signing-keys/key-ring.js'
import { newKeyVersions } from '../signing-keys/key-versions.js'
import { newLastingSecret } from '../signing-keys/secrets.js'
import { newReplayCache } from '../storage/replay-cache.js'
import type { Storage } from '../storage/storage.js'
import type { ClockMode } from '../trust-log/clock-rule.js'
import type { Cosigner } from '../trust-log/cosignatures/collect.js'
import { newTrustLog } from '../trust-log/new-trust-log.js'
import type { WitnessStore } from '../trust-log/witness/witness.js'
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

/** The services that every feature may need: trust log, signing keys, replay cache, audit and outgoing requests. */
export function newBase(deps: ServiceDeps) {
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
    pairwiseIds: newPairwiseIds(newLastingSecret({ storage, random }, 'pairwise')),
    resolver,
    guardedFetch,
    metrics,
    logFailure: newFailureLog({ log, clock }),
    requireRoom: (isFor: 'creation' | 'token') => requireRoom(storage, isFor),
  }
  return { ...base, liveInstances, rateLimits, limits: limitsInForce, sockets: newSocketLimit() }
}

export type Stores = ReturnType<typeof newStores>

export function newStores(base: ReturnType<typeof newBase>) {
  const registeredKeys = registeredKeysStore(base)
  const uses = usesStore(base)
  return {
    ...base,
    organisations: organisationsStore(base),
    limitsStore: limitsStore(base),
    quotas: quotasStore(base),
    registeredKeys,
    members: membersStore(base),
    people: peopleStore(base),
    agents: agentsStore(base),
    registeredClients: registeredClientsStore(base),
    clientDocuments: clientDocumentsStore(base),
    clientUses: clientUsesStore(base),
    clientRules: clientRulesStore(base),
    registrationGrants: registrationGrantsStore(base),
    levels: levelsStore(base),
    namespaces: namespacesStore(base),
    inbox: inboxStore(base),
    tasks: tasksStore(base),
    resources: resourcesStore(base),
    cards: cardsStore(base),
    freshness: freshnessStore(base),
    introductions: introductionsStore(base),
    consents: consentsStore(base),
    families: familiesStore(base),
    authorizations: authorizationsStore(base),
    devices: devicesStore(base),
    capabilities: capabilityStore(base),
    approvals: approvalsStore(base),
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
