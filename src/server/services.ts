// Constructs every feature and passes it the other features that it needs. No other file does so, besides those that it calls for a part of it.

import { approvalsSection } from '../delegation/approvals/account-pages.js'
import { consentsSection } from '../delegation/consents/account-pages.js'
import type { ResourceAudience } from '../delegation/resources/find.js'
import { introduceToOpen } from '../delegation/resources/introduce-to-open.js'
import { tasksSection } from '../delegation/tasks/account-section.js'
import type { Caller } from '../http/caller.js'
import type { HttpRequest } from '../http/route.js'
import { readAgentClient } from '../identity/agents/find.js'
import type { Client, ClientKey, ExternalClient } from '../identity/clients/client.js'
import { newClients } from '../identity/clients/clients.js'
import { readMemberClient } from '../identity/clients/member-client.js'
import { confirmAdmitted, noteUse, registerProvedKey } from '../identity/clients/prove-key.js'
import { readExternalClient } from '../identity/clients/self-registered.js'
import { agentsSection, sessionsSection } from '../identity/people/account-sections.js'
import { passkeysSection } from '../identity/people/passkeys/pages.js'
import { newProviders } from '../identity/people/upstream/provider.js'
import type { AccountSection } from '../identity/people/you-page.js'
import { authenticateRequest } from '../oauth/client-auth/authenticate.js'
import { isCalledFor } from '../oauth/lineage.js'
import { newClientDocuments } from '../oauth/registration/client-documents.js'
import { fetchDocumentFor } from '../oauth/registration/fetch-document.js'
import { newTokenKeys } from '../oauth/token-keys.js'
import type { AgentId, TaskId } from '../protocol/ids.js'
import type { Barrier } from '../protocol/standing.js'
import { newHub } from '../revocations/hub.js'
import { newRevocationSignals } from '../revocations/revocation-signals.js'
import { newTickets } from '../revocations/tickets.js'
import { type CosignatureCollection, collectCosignatures, newCosignedCheckpoints } from '../trust-log/cosignatures/collect.js'
import { updateWitness, type WitnessUpdates } from '../trust-log/witness/witness.js'
import { AUDIT_ACTIONS } from './api/procedures.js'
import { newFinders } from './finders.js'
import { instanceState } from './readiness.js'
import { newBase, newStores, type ServiceDeps } from './stores.js'

export type Services = Awaited<ReturnType<typeof startServices>>

/** Constructs all features and starts those that run in the background. If one fails to start, those that have started are closed. */
export async function startServices(deps: ServiceDeps) {
  const { clock, log, witness, cosigners = [] } = deps
  const base = newBase(deps)
  const { trustLog, keyRing, audit } = base
  const stores = newStores(base)
  const clients = newClients(trustLog, {
    member: (id) => readMemberClient(stores, id),
    agent: (id) => readAgentClient({ ...stores, findConsent: finders.findConsent }, id),
    external: (id) => readExternalClient(stores, id),
    document: (id, seen) => byDocument.find(id, seen),
  })
  const finders = newFinders(stores)
  const byDocument = newClientDocuments({ ...stores, ...finders, findAgent: clients.find })
  const services = {
    ...stores,
    ...finders,
    findClient: clients.find,
    clients,
    registerProvedKey: (client: Client, key: ClientKey) =>
      client.clientUri ? confirmAdmitted(stores, client) : registerProvedKey({ ...stores, findClient: clients.find }, client, key),
    fetchClientDocument: (clientId: string, caller: Pick<Caller, 'id' | 'orgId'>) => fetchDocumentFor(stores, clientId, caller),
    noteUse: (client: Client | ExternalClient) => noteUse(stores, client),
    saveClientDocument: byDocument.save,
    tokenKeys: newTokenKeys({ keyRing, clock }),
    providers: newProviders(base),
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
    instanceState: () => instanceState({ ...services, witnessState: () => updates?.state(), cosignerState: () => cosignatures?.state() }),
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
    /** The parts of the page /you, in their order. */
    accountSections: [
      approvalsSection({ ...services, ...forTasks }),
      consentsSection(services),
      tasksSection({ ...services, ...forTasks }),
      agentsSection(services),
      passkeysSection(services),
      sessionsSection(services),
    ] as readonly AccountSection[],
    close,
  }
}
