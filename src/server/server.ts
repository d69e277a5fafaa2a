// One instance of the registry: its features behind their doors. What they run on (store, clock, random, log) is handed in.

import { refuse } from '../errors.js'
import type { Caller } from '../http/caller.js'
import { startHealthServer } from '../http/health.js'
import type { HttpRequest } from '../http/route.js'
import { startHttp } from '../http/server.js'
import { staleIfError } from '../http/stale-if-error.js'
import { trpcOverHttp } from '../http/trpc/over-http.js'
import { trpcOverWebSocket } from '../http/trpc/over-websocket.js'
import type { TrpcContext } from '../http/trpc/procedures.js'
import { move, serveUpgrades } from '../http/websocket.js'
import { ensureFirstCode } from '../identity/members/first-code.js'
import type { Log } from '../lib/log.js'
import { authenticateToken } from '../oauth/client-auth/authenticate.js'
import { tokenEndpoints } from '../oauth/endpoints.js'
import { FEED_PROTOCOL, type ServerMessage } from '../protocol/log/feed.js'
import { stands } from '../protocol/standing.js'
import { cardEndpoints } from '../registry/cards/endpoints.js'
import { serveFeed } from '../revocations/feed-socket.js'
import { jwksEndpoint } from '../signing-keys/jwks-endpoint.js'
import { logEndpoints } from '../trust-log/proofs/log-endpoints.js'
import { whyUnreadable } from '../trust-log/read-barrier.js'
import type { ServedTrustLog } from '../trust-log/trust-log.js'
import { witnessRoutes } from '../trust-log/witness/serve.js'
import { runMaintenance } from './maintenance.js'
import { newRouter } from './router.js'
import { type ServiceParts, type Services, startServices } from './services.js'

export interface ServerParts extends ServiceParts {
  readonly host: string
  readonly port: number
  readonly adminPort: number
  readonly origins?: readonly string[]
  readonly trustedProxies?: readonly string[]
  /** Issuers of the registries that this one is a witness of. */
  readonly witnessFor?: readonly string[]
}

export interface RunningServer {
  readonly port: number
  readonly adminPort: number
  /** With which the first operator registers, where none has. */
  readonly firstCode: string | undefined
  readonly trustLog: ServedTrustLog
  /** It is no longer ready, and says so while it goes on: whoever looks at it sends nobody here any more. */
  leave(): void
  /** Takes nothing new, sends sockets elsewhere, and ends when the requests under way are answered. */
  close(): Promise<void>
  /** Waits no longer for callers that do not take their answers. */
  cut(): void
}

/** One instance of the registry over a store. Where it cannot serve nothing of it runs. */
export async function startServer(parts: ServerParts): Promise<RunningServer> {
  const features = await startServices(parts)
  let isLeaving = false
  const whyNotReady = async () => (isLeaving ? 'it is going away' : whyUnreadable(features.trustLog))
  const onLeave = () => {
    isLeaving = true
  }
  let admin: Awaited<ReturnType<typeof startHealthServer>> | undefined
  try {
    const firstCode = await ensureFirstCode(features)
    admin = await startHealthServer({ host: '127.0.0.1', port: parts.adminPort, whyNotReady })
    return await serveFeatures(parts, features, { admin, firstCode, onLeave })
  } catch (error) {
    await admin?.close()
    await features.close()
    throw error
  }
}

interface Begun {
  readonly admin: Awaited<ReturnType<typeof startHealthServer>>
  readonly firstCode: string | undefined
  readonly onLeave: () => void
}

/** Everything that callers reach. */
async function serveFeatures(parts: ServerParts, features: Services, { admin, firstCode, onLeave }: Begun): Promise<RunningServer> {
  const { clock, log } = parts
  const { trustLog, hub, alive } = features
  const router = newRouter(features)
  const http = await startHttp({
    issuer: parts.issuer,
    host: parts.host,
    port: parts.port,
    routes: staleIfError(
      [...tokenEndpoints(features), jwksEndpoint(features), ...cardEndpoints(features), ...logEndpoints(features), ...witnessRoutes(parts)],
      { clock, ended: trustLog.ended, onApplied: trustLog.onApplied },
    ),
    trpc: trpcOverHttp({ router, createContext: (request) => contextOf(features, log, request) }),
    trustedProxies: parts.trustedProxies ?? [],
    random: parts.random,
    log,
  })
  const trpcWs = trpcOverWebSocket({
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
  const closing = new AbortController()
  const tending = runMaintenance(features, closing.signal)
  return {
    port: http.port,
    adminPort: admin.port,
    firstCode,
    trustLog,
    leave: () => {
      onLeave()
      http.leave()
    },
    close: async () => {
      onLeave()
      closing.abort()
      // First, so that who is sent elsewhere does not come back
      const answered = http.close()
      upgrades.close()
      await answered
      alive.close()
      hub.close()
      await admin.close()
      await tending
      await features.close()
    },
    cut: () => {
      http.cut()
      upgrades.cut()
    },
  }
}

/** What a tRPC call knows of its request. A caller of a WebSocket was authenticated before its upgrade; that it still stands is asked at each call. */
function contextOf(features: Services, log: Log, request: HttpRequest, known?: Caller): TrpcContext {
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
async function stillStanding({ trustLog }: Services, caller: Caller): Promise<Caller> {
  const { now } = await trustLog.readBarrier()
  const { handles, expiresAt } = caller.dependencies
  return expiresAt > now && stands(trustLog.ended, handles) ? caller : refuse('invalid_token', 'the token no longer stands')
}
