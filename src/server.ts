// The composition root: the only file that constructs features and hands one to another. What they run on (store, clock, random, log) is handed in.
import { readFileSync } from 'node:fs'
import { agentsGrantedBy, findContact, readAgentClient } from './agents/find.js'
import { orgOfOwner } from './agents/owner.js'
import { agentsStore } from './agents/store.js'
import { newAudit } from './audit/new-audit.js'
import { cardEndpoints } from './cards/endpoints.js'
import { findAskable } from './cards/find-askable.js'
import { rebuildRows } from './cards/rebuild-rows.js'
import { findReliance, recallReliance } from './cards/reliance.js'
import { cardsStore } from './cards/store.js'
import { newClients } from './clients/clients.js'
import { readMemberClient } from './clients/member-client.js'
import { logOrigin } from './credentials/note.js'
import { enrolmentsGrantedBy } from './enrolments/find.js'
import { enrolmentsStore } from './enrolments/store.js'
import { refuse } from './errors.js'
import { inboxStore } from './inbox/store.js'
import { entitlementOf, introducedTo } from './introductions/entitle.js'
import { findGranted, introductionsGrantedBy } from './introductions/find.js'
import { introductionsStore } from './introductions/store.js'
import { newGenerations } from './keys/generations.js'
import { jwksEndpoint } from './keys/jwks-endpoint.js'
import { newKeyRing } from './keys/key-ring.js'
import type { Clock } from './lib/clock.js'
import type { Log } from './lib/log.js'
import type { Random } from './lib/random.js'
import { membersGrantedBy } from './members/find.js'
import { ensureFirstCode } from './members/first-code.js'
import { membersStore } from './members/store.js'
import { organisationsGrantedBy } from './organisations/find.js'
import { organisationsStore } from './organisations/store.js'
import type { KeyOwner } from './protocol/enrolment-statement.js'
import { FEED_PROTOCOL, type ServerMessage } from './protocol/feed.js'
import type { Handle } from './protocol/handles.js'
import type { AgentId, TaskId } from './protocol/ids.js'
import { stands } from './protocol/standing.js'
import { newAlive } from './revocations/alive.js'
import { serveFeed } from './revocations/feed-socket.js'
import { newHub } from './revocations/hub.js'
import { newTickets } from './revocations/tickets.js'
import { newRouter } from './router.js'
import { newOnce } from './storage/once.js'
import type { Storage } from './storage/storage.js'
import { findTask, tasksGrantedBy } from './tasks/find.js'
import { tasksStore } from './tasks/store.js'
import { tend } from './tend.js'
import { authenticateRequest, authenticateToken } from './tokens/authenticate.js'
import { tokenEndpoints } from './tokens/endpoints.js'
import { isCalledFor } from './tokens/lineage.js'
import { tokensStore } from './tokens/store.js'
import { newTokenKeys } from './tokens/token-keys.js'
import { startAdmin } from './transport/admin.js'
import type { Caller } from './transport/caller.js'
import type { HttpRequest } from './transport/http.js'
import { startHttp } from './transport/http-server.js'
import { withLastAnswers } from './transport/last-answer.js'
import type { TrpcContext } from './transport/trpc.js'
import { trpcOverHttp } from './transport/trpc-http.js'
import { trpcOverWs } from './transport/trpc-ws.js'
import { move, serveUpgrades } from './transport/ws.js'
import { whyUnread } from './trust-log/fence.js'
import { logEndpoints } from './trust-log/log-endpoints.js'
import { newTrustLog } from './trust-log/new-trust-log.js'
import type { ServedTrustLog } from './trust-log/trust-log.js'
import { keepWitness, type WitnessStore } from './trust-log/witness.js'
import { witnessRoutes } from './witnessing.js'

/** What a server object is made from. Several may share a store, and nothing else. */
export interface ServerParts {
  readonly storage: Storage
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly issuer: string
  readonly dev: boolean
  readonly host: string
  readonly port: number
  readonly adminPort: number
  readonly origins?: readonly string[]
  readonly trustedProxies?: readonly string[]
  /** Where this deployment remembers its log's head, outside the store; absent: nobody notices a store that was put back. */
  readonly witness?: WitnessStore
  /** Issuers of the registries that this one is a witness of. */
  readonly witnessFor?: readonly string[]
}

export interface RunningServer {
  readonly port: number
  readonly adminPort: number
  /** With which the first operator enrols, where none has. */
  readonly firstCode: string | undefined
  readonly trustLog: ServedTrustLog
  /** It is no longer ready, and says so while it goes on: whoever looks at it sends nobody here any more. */
  leave(): void
  /** Takes nothing new, sends sockets elsewhere, and ends when the requests under way are answered. */
  close(): Promise<void>
  /** Waits no longer for callers that do not take their answers. */
  cut(): void
}

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string } // our own package.json

/** One instance of the registry over a store. */
export async function startServer(parts: ServerParts): Promise<RunningServer> {
  const { clock, log } = parts
  const features = await newFeatures(parts)
  const { trustLog, hub, alive } = features
  const router = newRouter(features)
  const http = await startHttp({
    issuer: parts.issuer,
    host: parts.host,
    port: parts.port,
    routes: withLastAnswers(
      [...tokenEndpoints(features), jwksEndpoint(features), ...cardEndpoints(features), ...logEndpoints(features), ...witnessRoutes(parts)],
      { clock, ended: trustLog.ended },
    ),
    trpc: trpcOverHttp({ router, createContext: (request) => contextOf(features, log, request) }),
    trustedProxies: parts.trustedProxies ?? [],
    random: parts.random,
    log,
  })
  const trpcWs = trpcOverWs({
    router,
    createContext: (request, caller) => contextOf(features, log, request, caller),
    admission: http.admission,
    alive: alive.signal,
    onBug: (path, error) => log.error('a subscription failed', error, { 'trpc.path': path }),
  })
  const feedUrl = { method: 'GET', url: `${parts.issuer}/revocations` }
  const upgrades = serveUpgrades(http.server, {
    issuer: parts.issuer,
    handlers: [
      trpcWs,
      {
        path: '/revocations',
        protocol: FEED_PROTOCOL,
        leave: (ws) => move(ws, JSON.stringify({ type: 'move' } satisfies ServerMessage)),
        scope: 'revocations:read',
        accept: (ws, caller) =>
          serveFeed(
            {
              hub,
              clock,
              issuer: parts.issuer,
              alive: alive.signal,
              authenticateToken: (token, proof) => authenticateToken(features, token, proof, feedUrl),
              onBug: (error) => log.error('a subscriber cannot be served', error),
            },
            ws,
            caller,
          ),
      },
    ],
    origins: parts.origins ?? [],
    trustedProxies: parts.trustedProxies ?? [],
    authenticate: features.authenticate,
    redeemTicket: features.tickets.redeem,
    random: parts.random,
    log,
  })
  let isLeaving = false
  const whyNotReady = async () => (isLeaving ? 'it is going away' : whyUnread(trustLog))
  const admin = await startAdmin({ host: '127.0.0.1', port: parts.adminPort, whyNotReady })
  const firstCode = await ensureFirstCode(features)
  const closing = new AbortController()
  const tending = tend(features, closing.signal)
  return {
    port: http.port,
    adminPort: admin.port,
    firstCode,
    trustLog,
    leave: () => {
      isLeaving = true
      http.leave()
    },
    close: async () => {
      isLeaving = true
      closing.abort()
      // First, so that who is sent elsewhere does not come back
      const answered = http.close()
      upgrades.close()
      await answered
      alive.close()
      hub.close()
      await admin.close()
      await tending
      await features.audit.close()
      await features.keyRing.close()
      await features.leaveWitness?.()
      await trustLog.close()
    },
    cut: () => {
      http.cut()
      upgrades.cut()
    },
  }
}

type Features = Awaited<ReturnType<typeof newFeatures>>

/** Every feature with what it needs of the others, started. */
async function newFeatures({ storage, clock, random, log, issuer, dev, witness }: ServerParts) {
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
  await trustLog.start()
  const leaveWitness = witness && keepWitness(witness, trustLog, { clock, log })
  await keyRing.start()
  await audit.start()
  await rebuildRows(found, { limit: 1000 })
  return {
    ...all,
    authenticate,
    isCalledFor: (agentId: AgentId, taskId: TaskId) => isCalledFor(all, agentId, taskId),
    leaveWitness,
    hub: newHub({ trustLog }),
    alive: newAlive({ trustLog, clock }),
    tickets: newTickets({ ...base, findClient: clients.find }),
  }
}

/** What a tRPC call knows of its request. A caller of a WebSocket was authenticated before its upgrade; that it still stands is asked at each call. */
function contextOf(features: Features, log: Log, request: HttpRequest, known?: Caller): TrpcContext {
  let caller: Promise<Caller | undefined> | undefined
  return {
    requestId: request.requestId,
    findCaller: async () => {
      if (known) return stillStanding(features, known)
      caller ??= features.authenticate(request)
      return caller
    },
    alive: features.alive.signal,
    onRefusal: (by, path, { reason }) =>
      features.audit.record({ orgId: by.orgId, actor: by.id, action: path, outcome: 'refused', reason, tokenId: by.tokenId }),
    onBug: (path, error) => log.error('a procedure failed', error, { 'request.id': request.requestId, 'trpc.path': path }),
  }
}

/** Behind a fence, as for every request: an ending that was acknowledged elsewhere holds here too. */
async function stillStanding({ trustLog }: Features, caller: Caller): Promise<Caller> {
  const { now } = await trustLog.fence()
  const { on, until } = caller.ground
  return until > now && stands(trustLog.ended, on) ? caller : refuse('invalid_token', 'the token no longer stands')
}
