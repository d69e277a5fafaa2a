// The only file that constructs features and hands one to another.

import { readFileSync } from 'node:fs'
import { agentsGrantedBy, findContact, readAgentClient } from './agents/find.js'
import { orgOfOwner } from './agents/owner.js'
import { agentsStore } from './agents/store.js'
import { newAudit } from './audit/new-audit.js'
import { findAskable } from './cards/find-askable.js'
import { rebuildRows } from './cards/rebuild-rows.js'
import { findReliance, recallReliance } from './cards/reliance.js'
import { cardsStore } from './cards/store.js'
import { newClients } from './clients/clients.js'
import { readMemberClient } from './clients/member-client.js'
import { logOrigin } from './credentials/note.js'
import { enrolmentsGrantedBy } from './enrolments/find.js'
import { enrolmentsStore } from './enrolments/store.js'
import { inboxStore } from './inbox/store.js'
import { entitlementOf, introducedTo } from './introductions/entitle.js'
import { findGranted, introductionsGrantedBy } from './introductions/find.js'
import { introductionsStore } from './introductions/store.js'
import { newGenerations } from './keys/generations.js'
import { newKeyRing } from './keys/key-ring.js'
import type { Clock } from './lib/clock.js'
import type { Log } from './lib/log.js'
import type { Random } from './lib/random.js'
import { membersGrantedBy } from './members/find.js'
import { membersStore } from './members/store.js'
import { organisationsGrantedBy } from './organisations/find.js'
import { organisationsStore } from './organisations/store.js'
import type { KeyOwner } from './protocol/enrolment-statement.js'
import type { Handle } from './protocol/handles.js'
import type { AgentId, TaskId } from './protocol/ids.js'
import { newAlive } from './revocations/alive.js'
import { newHub } from './revocations/hub.js'
import { newTickets } from './revocations/tickets.js'
import { newOnce } from './storage/once.js'
import type { Storage } from './storage/storage.js'
import { findTask, tasksGrantedBy } from './tasks/find.js'
import { tasksStore } from './tasks/store.js'
import { authenticateRequest } from './tokens/authenticate.js'
import { isCalledFor } from './tokens/lineage.js'
import { tokensStore } from './tokens/store.js'
import { newTokenKeys } from './tokens/token-keys.js'
import { newAdmission, SEARCH_LIMITS } from './transport/admission.js'
import type { Caller } from './transport/caller.js'
import type { HttpRequest } from './transport/http.js'
import { newTrustLog } from './trust-log/new-trust-log.js'
import type { WitnessStore } from './trust-log/witness.js'
import { keepWitness } from './trust-log/witness.js'

/** What a server object is made from. Several may share a store, and nothing else. */
export interface FeatureParts {
  readonly storage: Storage
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly issuer: string
  readonly dev: boolean
  /** Where this deployment remembers its log's head, outside the store; absent: nobody notices a store that was put back. */
  readonly witness?: WitnessStore
}

export const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string } // our own package.json

export type Features = Awaited<ReturnType<typeof startFeatures>>

/** Every feature with what it needs of the others, started. What cannot be started leaves nothing behind that runs. */
export async function startFeatures({ storage, clock, random, log, issuer, dev, witness }: FeatureParts) {
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
  const generations = newGenerations({ storage, trustLog, random })
  const keyRing = newKeyRing({ storage, generations, trustLog, clock, random, log })
  const once = newOnce(storage)
  const audit = newAudit({ storage, clock, log, writer })
  const base = { storage, trustLog, clock, random, log, issuer, dev, version, generations, keyRing, once, audit }
  const enrolments = enrolmentsStore(base)
  const stores = {
    organisations: organisationsStore(base),
    enrolments,
    members: membersStore({ ...base, enrolments }),
    agents: agentsStore(base),
    inbox: inboxStore(base),
    tasks: tasksStore(base),
    cards: cardsStore(base),
    introductions: introductionsStore(base),
    tokens: tokensStore(base),
    cardSearch: storage.cards,
    searches: { callers: newAdmission(SEARCH_LIMITS.callers), strangers: newAdmission(SEARCH_LIMITS.strangers) },
  }
  const found = { ...base, ...stores }
  const clients = newClients(trustLog, { member: (id) => readMemberClient(found, id), agent: (id) => readAgentClient(found, id) })
  const tokenKeys = newTokenKeys({ keyRing, clock })
  const finders = {
    findContact: (id: AgentId) => findContact(found, id),
    findReliance: (id: AgentId) => findReliance(found, id),
    recallReliance: (id: AgentId) => recallReliance(found, id),
    findAskable: (id: AgentId, tier: 'authenticated' | 'introduced') => findAskable(found, id, tier),
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
          enrolmentsGrantedBy(found, handle, since),
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
    if (witness) started.unshift(keepWitness(witness, trustLog, { clock, log }))
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
    alive: newAlive({ trustLog, clock }),
    tickets: newTickets({ ...base, findClient: clients.find }),
    close,
  }
}
