import { runMatching } from '../delegation/introductions/capability/match.js'
import { runUseCounting } from '../delegation/uses/schedule.js'
import { runWebhookDelivery } from '../delegation/webhooks/deliver.js'
import { refuse } from '../errors.js'
import type { TokenCaller } from '../http/caller.js'
import { startHealthServer } from '../http/health.js'
import type { HttpRequest } from '../http/route.js'
import { type HttpServer, startHttp } from '../http/server.js'
import { staleIfError } from '../http/stale-if-error.js'
import { trpcOverHttp } from '../http/trpc/over-http.js'
import { trpcOverWebSocket } from '../http/trpc/over-websocket.js'
import type { TrpcContext } from '../http/trpc/procedures.js'
import { reconnectElsewhere, serveUpgrades, type UpgradeHandler } from '../http/websocket.js'
import { ensureFirstCode } from '../identity/members/first-code.js'
import { runNamespaceChecks } from '../identity/namespaces/schedule.js'
import type { Log } from '../lib/log.js'
import { authenticateToken } from '../oauth/client-auth/authenticate.js'
import { FEED_PROTOCOL, type ServerMessage } from '../protocol/log/feed.js'
import { stands } from '../protocol/standing.js'
import { runFreshnessChecks } from '../registry/cards/freshness/schedule.js'
import { reindexOutdatedCards } from '../registry/cards/search-rows/reindex.js'
import { serveFeed } from '../revocations/feed-socket.js'
import type { ServedTrustLog } from '../trust-log/trust-log.js'
import { type RouteDeps, servedRoutes } from './api/served-routes.js'
import { runMaintenance } from './maintenance.js'
import { metricsText, probeStore, readinessWarnings, whyNotAlive, whyNotReady } from './readiness.js'
import { newRouter } from './router.js'
import { type Services, startServices } from './services.js'

interface ServerDeps extends RouteDeps {
  readonly host: string
  /** A further address to listen on. */
  readonly alsoHost?: string
  readonly port: number
  readonly adminPort: number
  /** Default: loopback. */
  readonly adminHost?: string
  readonly origins?: readonly string[]
  readonly trustedProxies?: readonly string[]
  /** `daily` repeats the checks of cards (`cards.checkFreshness`). Default: `off`. */
  readonly freshness?: 'off' | 'daily'
}

export interface RunningServer {
  readonly port: number
  readonly adminPort: number
  /** The one-time code with which the first operator joins; undefined if there is an operator. */
  readonly firstCode: string | undefined
  readonly trustLog: ServedTrustLog
  /** Reports "not ready" to load balancers and asks HTTP clients to reconnect, while requests are still served. */
  drain(): void
  /** Accepts no new connections, asks WebSocket clients to reconnect elsewhere, and resolves once all requests have been answered. */
  close(): Promise<void>
  /** Drops the connections that still delay `close`. */
  terminate(): void
}

/** Starts one instance of the registry over a store. If a part fails to start, the parts that have started are closed. */
export async function startServer(deps: ServerDeps): Promise<RunningServer> {
  const services = await startServices(deps)
  let isDraining = false
  let health: Awaited<ReturnType<typeof startHealthServer>> | undefined
  let servers: { readonly http: HttpServer; readonly upgrades: ReturnType<typeof serveUpgrades> } | undefined
  let firstCode: string | undefined
  try {
    await deps.storage.ready?.()
    const reindexed = await reindexOutdatedCards(services)
    if (reindexed > 0) deps.log.info('the cards were indexed again, by the search rules of this release', { cards: reindexed })
    firstCode = await ensureFirstCode(services)
    health = await startHealthServer({
      host: deps.adminHost ?? '127.0.0.1',
      port: deps.adminPort,
      whyNotReady: async () => (isDraining ? 'the server is shutting down' : whyNotReady(services)),
      warnings: () => readinessWarnings(services),
      whyNotAlive: () => whyNotAlive(services),
      onBug: (error) => deps.log.error('a request on the admin port failed', error),
      metrics: { contentType: services.metrics.contentType, text: () => metricsText(services, servers && { ...servers, isDraining }) },
    })
    servers = await serveCallers(deps, services)
  } catch (error) {
    await health?.close()
    await services.close()
    throw error
  }
  const { http, upgrades } = servers
  const closing = new AbortController()
  const background = Promise.all([
    runMaintenance(services, closing.signal),
    runMatching(services, closing.signal),
    runWebhookDelivery(services, closing.signal),
    runNamespaceChecks(services, closing.signal),
    runUseCounting(services, closing.signal),
    probeStore(services, closing.signal),
    ...(deps.freshness === 'daily' ? [runFreshnessChecks(services, closing.signal)] : []),
  ])
  const { close: closeHealth, port: adminPort } = health
  return {
    port: http.port,
    adminPort,
    firstCode,
    trustLog: services.trustLog,
    drain: () => {
      isDraining = true
      http.drain()
    },
    close: async () => {
      isDraining = true
      closing.abort()
      // The listener closes first, so that a client that is asked to reconnect does not reach this instance again.
      const closed = http.close()
      upgrades.reconnectElsewhere()
      await closed
      services.revocationSignals.close()
      services.hub.close()
      await closeHealth()
      await background
      await services.close()
    },
    terminate: () => {
      http.terminate()
      upgrades.terminate()
    },
  }
}

/** Starts the HTTP server and, on its listener, the WebSocket endpoints. */
async function serveCallers(
  deps: ServerDeps,
  services: Services,
): Promise<{ readonly http: HttpServer; readonly upgrades: ReturnType<typeof serveUpgrades> }> {
  const { issuer, host, alsoHost, port, clock, random, log, origins = [], trustedProxies = [] } = deps
  const { trustLog, revocationSignals } = services
  const router = newRouter(services)
  const http = await startHttp({
    issuer,
    host,
    ...(alsoHost !== undefined && { alsoHost }),
    port,
    routes: staleIfError(servedRoutes(deps, services), { clock, ended: trustLog.ended, onApplied: trustLog.onApplied }),
    trpc: trpcOverHttp({ router, createContext: (request) => contextOf(services, log, request) }),
    trustedProxies,
    origins,
    random,
    log,
    rateLimits: services.rateLimits,
    metrics: services.metrics,
    logFailure: services.logFailure,
  })
  const trpcHandler = trpcOverWebSocket({
    router,
    createContext: (request, caller) => contextOf(services, log, request, caller),
    concurrencyLimit: http.queues.clients,
    revocationSignal: revocationSignals.signalFor,
    onBug: (path, error) => log.error('a subscription failed', error, { 'trpc.path': path }),
  })
  const upgrades = serveUpgrades(http.server, {
    issuer,
    handlers: [trpcHandler, feedHandler(deps, services)],
    origins,
    trustedProxies,
    authenticate: services.authenticate,
    redeemTicket: services.tickets.redeem,
    queues: http.queues,
    connections: http.connections,
    sockets: services.sockets,
    maxSocketsOf: async (caller) => (await services.limits.ofClient(caller)).sockets,
    clock,
    random,
    log,
    metrics: services.metrics,
  })
  return { http, upgrades }
}

/** The revocation feed at `/revocations`. */
function feedHandler({ issuer, clock, log }: ServerDeps, services: Services): UpgradeHandler {
  const url = { method: 'GET', url: `${issuer}/revocations` }
  const feedDeps = {
    hub: services.hub,
    clock,
    issuer,
    revocationSignal: services.revocationSignals.signalFor,
    authenticateToken: (token: string, proof: string) => authenticateToken(services, token, proof, url),
    onBug: (error: unknown) => log.error('the revocation feed failed for a subscriber', error),
    metrics: services.metrics,
  }
  return {
    path: '/revocations',
    protocol: FEED_PROTOCOL,
    drain: (ws) => reconnectElsewhere(ws, JSON.stringify({ type: 'move' } satisfies ServerMessage)),
    scope: 'revocations:read',
    accept: (ws, caller) => serveFeed(feedDeps, ws, caller),
  }
}

/**
 * Makes the context of a tRPC call. `socketCaller` was authenticated when its WebSocket was opened; each call checks it against the ended
 * set again.
 */
function contextOf(services: Services, log: Log, request: HttpRequest, socketCaller?: TokenCaller): TrpcContext {
  let caller: Promise<TokenCaller | undefined> | undefined
  return {
    requestId: request.requestId,
    metrics: services.metrics,
    logFailure: services.logFailure,
    address: request.address,
    findCaller: async () => {
      if (socketCaller) return requireStanding(services, socketCaller)
      caller ??= services.authenticate(request)
      return caller
    },
    revocationSignal: services.revocationSignals.signalFor,
    requireStillStanding: ({ barrier, dependencies }) => services.trustLog.requireStillStanding(barrier, dependencies.handles),
    onRefusal: async ({ orgId, id, tokenId }, path, { reason }) => {
      // A row for each request past a rate, or without room on the disk, would be the load that the refusal prevents
      if (reason !== 'rate_limited' && reason !== 'unavailable')
        await services.audit.record({ orgId, actor: id, action: path, outcome: 'refused', reason, ...(tokenId && { tokenId }) })
    },
    requireCreationRate: services.requireCreation,
    onBug: (path, error) => log.error('a procedure failed', error, { 'request.id': request.requestId, 'trpc.path': path }),
  }
}

/** The read barrier includes every revocation that any instance has acknowledged. */
async function requireStanding({ trustLog }: Services, caller: TokenCaller): Promise<TokenCaller> {
  const barrier = await trustLog.readBarrier()
  const { handles, expiresAt } = caller.dependencies
  if (expiresAt <= barrier.now || !stands(trustLog.ended, handles)) refuse('invalid_token', 'the token has expired or was revoked')
  return { ...caller, barrier }
}
