// The only file that constructs features and hands one to another.

import { readFileSync } from 'node:fs'
import { newAudit } from '../audit/new-audit.js'
import { logOrigin } from '../credentials/signed-note.js'
import { inboxStore } from '../delegation/inbox/store.js'
import { entitlementOf, introducedTo } from '../delegation/introductions/entitle.js'
import { findGranted, introductionsGrantedBy } from '../delegation/introductions/find.js'
import { introductionsStore } from '../delegation/introductions/store.js'
import { findTask, tasksGrantedBy } from '../delegation/tasks/find.js'
import { tasksStore } from '../delegation/tasks/store.js'
import type { Caller } from '../http/caller.js'
import { newConcurrencyLimit, SEARCH_LIMITS } from '../http/concurrency-limit.js'
import type { HttpRequest } from '../http/route.js'
import { agentsGrantedBy, findIntroductionTarget, readAgentClient } from '../identity/agents/find.js'
import { orgOfOwner } from '../identity/agents/owner.js'
import { agentsStore } from '../identity/agents/store.js'
import { newClients } from '../identity/clients/clients.js'
import { readMemberClient } from '../identity/clients/member-client.js'
import { keysGrantedBy } from '../identity/keys/find.js'
import { registeredKeysStore } from '../identity/keys/store.js'
import { membersGrantedBy } from '../identity/members/find.js'
import { membersStore } from '../identity/members/store.js'
import { organisationsGrantedBy } from '../identity/organisations/find.js'
import { organisationsStore } from '../identity/organisations/store.js'
import type { Clock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Random } from '../lib/random.js'
import { authenticateRequest } from '../oauth/client-auth/authenticate.js'
import { isCalledFor } from '../oauth/lineage.js'
import { tokensStore } from '../oauth/store.js'
import { newTokenKeys } from '../oauth/token-keys.js'
import type { Handle } from '../protocol/handles.js'
import type { AgentId, TaskId } from '../protocol/ids.js'
import type { KeyOwner } from '../protocol/key-statement.js'
import { cachedPinnedParts, findPinnedParts } from '../registry/cards/pinned-parts.js'
import { findRequestable } from '../registry/cards/requestable-scopes.js'
import { rebuildRows } from '../registry/cards/search-rows/rebuild-rows.js'
import { cardsStore } from '../registry/cards/store.js'
import { newHub } from '../revocations/hub.js'
import { newRevocationSignals } from '../revocations/revocation-signals.js'
import { newTickets } from '../revocations/tickets.js'
import { newKeyRing } from '../signing-keys/key-ring.js'
import { newKeyVersions } from '../signing-keys/key-versions.js'
import { newReplayCache } from '../storage/replay-cache.js'
import type { Storage } from '../storage/storage.js'
import { newTrustLog } from '../trust-log/new-trust-log.js'
import type { WitnessStore } from '../trust-log/witness/witness.js'
import { updateWitness } from '../trust-log/witness/witness.js'

/** What a server object is made from. Several may share a store, and nothing else. */
export interface ServiceParts {
  readonly storage: Storage
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly issuer: string
  readonly dev: boolean
  /** Where this deployment remembers its log's head, outside the store; absent: nobody notices a store that was put back. */
  readonly witness?: WitnessStore
}

export const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string } // our own package.json

export type Services = Awaited<ReturnType<typeof startServices>>

/** Every feature with what it needs of the others, started. What cannot be started leaves nothing behind that runs. */
export async function startServices({ storage, clock, random, log, issuer, dev, witness }: ServiceParts) {
  const writer = random.token(8)
  const trustLog = newTrustLog({
    storage,
    clock,
    random,
    log,
    writer,
    origin: logOrigin(issuer),
    logSigner: () => keyRing.signer('log'),
    witness,
  })
  const generations = newKeyVersions({ storage, trustLog, random })
  const keyRing = newKeyRing({ storage, generations, trustLog, clock, random, log })
  const once = newReplayCache(storage)
  const audit = newAudit({ storage, clock, log, writer })
  const base = { storage, trustLog, clock, random, log, issuer, dev, version, generations, keyRing, once, audit }
  const registeredKeys = registeredKeysStore(base)
  const stores = {
    organisations: organisationsStore(base),
    registeredKeys,
    members: membersStore({ ...base, registeredKeys }),
    agents: agentsStore(base),
    inbox: inboxStore(base),
    tasks: tasksStore(base),
    cards: cardsStore(base),
    introductions: introductionsStore(base),
    tokens: tokensStore(base),
    cardSearch: storage.cards,
    searches: { callers: newConcurrencyLimit(SEARCH_LIMITS.callers), strangers: newConcurrencyLimit(SEARCH_LIMITS.strangers) },
  }
  const found = { ...base, ...stores }
  const clients = newClients(trustLog, { member: (id) => readMemberClient(found, id), agent: (id) => readAgentClient(found, id) })
  const tokenKeys = newTokenKeys({ keyRing, clock })
  const finders = {
    findTarget: (id: AgentId) => findIntroductionTarget(found, id),
    findPinnedParts: (id: AgentId) => findPinnedParts(found, id),
    recallReliance: (id: AgentId) => cachedPinnedParts(found, id),
    findRequestable: (id: AgentId, tier: 'authenticated' | 'introduced') => findRequestable(found, id, tier),
    findGranted: (from: AgentId, to: AgentId) => findGranted(found, from, to),
    findTask: (id: TaskId) => findTask(found, id),
    entitle: (caller: Caller, id: AgentId) => entitlementOf(found, caller, id),
    introducedTo: (caller: Caller) => introducedTo(found, caller),
    findClient: clients.find,
    orgOfOwner: (owner: KeyOwner) => orgOfOwner(found, owner),
    grantedBy: async (handle: Handle, since: number) =>
      (
        await Promise.all([
          organisationsGrantedBy(found, handle, since),
          membersGrantedBy(found, handle, since),
          keysGrantedBy(found, handle, since),
          agentsGrantedBy(found, handle, since),
          tasksGrantedBy(found, handle, since),
          introductionsGrantedBy(found, handle, since),
        ])
      ).flat(),
  }
  const all = { ...found, ...finders, clients, tokenKeys }
  const authenticate = (request: HttpRequest) => authenticateRequest(all, request)
  const started: (() => Promise<void>)[] = []
  const start = async (one: { start(): Promise<void>; close(): Promise<void> }) => {
    started.unshift(one.close)
    await one.start()
  }
  const close = async () => {
    for (const closeOne of started) await closeOne()
  }
  try {
    await start(trustLog)
    if (witness) started.unshift(updateWitness(witness, trustLog, { clock, log }))
    await start(keyRing)
    await start(audit)
    await rebuildRows(found, { limit: 1000 })
  } catch (error) {
    await close()
    throw error
  }
  return {
    ...all,
    authenticate,
    isCalledFor: (agentId: AgentId, taskId: TaskId) => isCalledFor(all, agentId, taskId),
    hub: newHub({ trustLog }),
    alive: newRevocationSignals({ trustLog, clock }),
    tickets: newTickets({ ...base, findClient: clients.find }),
    close,
  }
}
