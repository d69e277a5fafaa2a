import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { isRefusal, Refusal, refuse } from '../errors.js'
import type { Clock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Random } from '../lib/random.js'
import { countRefusal, type Metrics, outcomeOf } from '../lib/telemetry/metrics.js'
import { CLOSE_CODES, MAX_FRAME_BYTES, TICKET_PREFIX } from '../protocol/log/feed.js'
import type { RegistryScope } from '../protocol/rights.js'
import type { Caller, TokenCaller } from './caller.js'
import { errorResponse } from './error-response.js'
import { NO_ENDPOINT } from './handler/handler.js'
import { arrivalOf, disconnectSignal, NO_BODY, tooManyHeaders } from './handler/request.js'
import { sendOnSocket } from './handler/response.js'
import { keepAlive } from './heartbeat.js'
import { addressPrefix } from './limits/address-prefix.js'
import type { ConnectionLimit } from './limits/connection-limit.js'
import type { RequestQueues } from './limits/request-queues.js'
import { newSocketLimit, type SocketLimit } from './limits/socket-limit.js'
import type { HttpRequest } from './route.js'
import { newTrustedProxies } from './trusted-proxies.js'

/** Handles the WebSockets of one path. */
export interface UpgradeHandler {
  readonly path: string
  /** The subprotocol that a client must offer; absent if none is needed. */
  readonly protocol?: string
  readonly scope?: RegistryScope
  /** Finishes running work and then closes a socket, before this instance shuts down. Absent: sockets are closed at once. */
  drain?(socket: WebSocket): void
  accept(socket: WebSocket, caller: TokenCaller, request: HttpRequest, raw: IncomingMessage): void
}

interface UpgradeDeps {
  readonly issuer: string
  readonly handlers: readonly UpgradeHandler[]
  /** Browser origins that may connect. */
  readonly origins: readonly string[]
  readonly authenticate: (request: HttpRequest) => Promise<TokenCaller | undefined>
  readonly redeemTicket: (ticket: string) => Promise<TokenCaller | undefined>
  readonly trustedProxies: readonly string[]
  /** The queues of the HTTP server: a handshake waits in them like a request. */
  readonly queues: Pick<RequestQueues, 'run'>
  /** The connections of the HTTP server. */
  readonly connections: ConnectionLimit
  /** Default: one with the default limits. */
  readonly sockets?: SocketLimit
  /** The maximum of open sockets of a caller on this instance. */
  readonly maxSocketsOf?: (caller: Caller) => Promise<number>
  readonly clock: Pick<Clock, 'after'>
  readonly random: Random
  readonly log: Log
  readonly metrics?: Metrics | undefined
}

/** Maximum number of concurrent handshakes per address prefix. Further ones are refused with `rate_limited`. */
const MAX_HANDSHAKES = 64
const MAX_PROTOCOLS = 8
/** The peer must answer a close frame within this time. The type declarations of ws lack the option. */
const CLOSE_TIMEOUT = { closeTimeout: 5000 }

interface Upgrades {
  /** Number of open sockets. */
  readonly sockets: number
  /** Tells every client to reconnect to another instance. */
  reconnectElsewhere(): void
  /** Closes all remaining sockets at once. */
  terminate(): void
}

/** Serves all WebSocket upgrades. A request gets a WebSocket only after its origin, its credentials and the limits were checked. */
export function serveUpgrades(server: Server, deps: UpgradeDeps): Upgrades {
  const wss = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    ...CLOSE_TIMEOUT,
    // A client that offers subprotocols fails if none is selected (WHATWG WebSockets §3.1), even if its only offer is a ticket
    handleProtocols: (offered, request) =>
      chosen.get(request)?.protocol ?? [...offered].find((offer) => !offer.startsWith(TICKET_PREFIX)) ?? [...offered][0] ?? false,
  })
  /** The handler of each handshake that was authorised. */
  const chosen = new WeakMap<IncomingMessage, UpgradeHandler>()
  const handshakes = newCounters(MAX_HANDSHAKES)
  const { sockets = newSocketLimit() } = deps
  const isProxy = newTrustedProxies(deps.trustedProxies)
  const handlers = new WeakMap<WebSocket, UpgradeHandler>()

  const onUpgrade = async (raw: IncomingMessage, socket: Duplex, head: Buffer) => {
    const received = { ...arrivalOf({ ...deps, isProxy }, raw), params: {}, body: NO_BODY }
    const prefix = addressPrefix(received.address)
    const endpoint = deps.handlers.find(({ path }) => path === received.path)?.path ?? NO_ENDPOINT
    const reject = (error: unknown) => {
      countRefusal(deps.metrics, error)
      deps.metrics?.httpRequests.inc({ endpoint, outcome: isRefusal(error) ? outcomeOf(error.status) : 'failed' })
      sendOnSocket(socket, errorResponse(error, { requestId: received.requestId, issuer: deps.issuer }))
    }
    // Without a listener, a connection reset by the peer would be an uncaught exception
    socket.on('error', () => socket.destroy())
    // The responses to earlier requests of the connection would follow the handshake
    if (deps.connections.isBusy(socket)) return void socket.destroy()
    const tooMany = tooManyHeaders(raw, received.requestId)
    if (tooMany) return sendOnSocket(socket, tooMany)
    // Checked before the handshake is counted, so that a refused handshake neither takes nor frees a slot
    if (handshakes.isFull(prefix)) return reject(new Refusal('rate_limited', 'too many handshakes, retry in 1 s', { retryAfterSeconds: 1 }))
    handshakes.increment(prefix)
    try {
      const run = () =>
        deps.queues.run(received, disconnectSignal(socket), async (enterAs) => ({
          status: 101,
          ...(await authorise(deps, { ...received, enterAs }, raw)),
        }))
      const { handler, request, caller } = await deps.connections.whileBusy(socket, run)
      const maxSockets = await deps.maxSocketsOf?.(caller)
      if (socket.destroyed) return
      // No await between this and `add`: a concurrent handshake of the client must not slip in between
      sockets.requireRoom(caller, maxSockets)
      chosen.set(raw, handler)
      wss.handleUpgrade(raw, socket, head, (ws) => {
        deps.connections.release(socket)
        deps.metrics?.httpRequests.inc({ endpoint, outcome: 'ok' })
        sockets.add(ws, caller)
        handlers.set(ws, handler)
        ws.on('error', () => ws.terminate())
        void keepAlive(ws, deps.clock)
        handler.accept(ws, caller, request, raw)
      })
    } catch (error) {
      if (!isRefusal(error)) deps.log.error('WebSocket upgrade failed', error, { 'request.id': received.requestId })
      reject(error)
    } finally {
      handshakes.decrement(prefix)
    }
  }
  server.on('upgrade', (raw, socket, head) => void onUpgrade(raw, socket, head))
  return {
    get sockets() {
      return wss.clients.size
    },
    reconnectElsewhere: () => {
      for (const ws of wss.clients) {
        const handler = handlers.get(ws)
        if (handler?.drain) handler.drain(ws)
        else reconnectElsewhere(ws)
      }
      wss.close()
    },
    terminate: () => {
      for (const ws of wss.clients) ws.terminate()
    },
  }
}

/** Tells the client to reconnect to another instance and closes the socket. `lastMessage` is sent first. */
export function reconnectElsewhere(ws: WebSocket, lastMessage?: string): void {
  if (lastMessage !== undefined && ws.readyState === ws.OPEN) ws.send(lastMessage)
  ws.close(CLOSE_CODES.moved, 'this instance shuts down, reconnect')
}

interface Counters {
  isFull(key: string): boolean
  increment(key: string): void
  decrement(key: string): void
}

/** One counter per key. A counter is full at `max`. */
function newCounters(max: number): Counters {
  const counts = new Map<string, number>()
  const countOf = (key: string): number => counts.get(key) ?? 0
  return {
    isFull: (key) => countOf(key) >= max,
    increment: (key) => counts.set(key, countOf(key) + 1),
    decrement: (key) => {
      if (countOf(key) <= 1) counts.delete(key)
      else counts.set(key, countOf(key) - 1)
    },
  }
}

async function authorise(
  deps: UpgradeDeps,
  request: HttpRequest,
  raw: IncomingMessage,
): Promise<{ handler: UpgradeHandler; request: HttpRequest; caller: TokenCaller }> {
  const handler = deps.handlers.find(({ path }) => path === request.path) ?? refuse('not_found', 'no endpoint has this path')
  const { origin } = raw.headers
  // RFC 6455 §10.2: browsers send the origin of the script; other clients send none. The console is a page of the registry itself
  if (origin !== undefined && origin !== deps.issuer && !deps.origins.includes(origin))
    refuse('origin_not_allowed', 'browsers may not connect from this origin')
  if (['access_token', 'token', 'ticket', 'authorization'].some((name) => request.query.has(name)))
    refuse('invalid_request', 'send credentials in a header or as a ticket, not in the URL')
  if (request.query.has('connectionParams'))
    refuse('invalid_request', 'connectionParams are not read: send the credentials as headers of the handshake, or a ticket as subprotocol')
  const offered = offeredProtocols(raw)
  if (offered.length > MAX_PROTOCOLS) refuse('invalid_request', `more than ${MAX_PROTOCOLS} subprotocols`)
  if (handler.protocol !== undefined && !offered.includes(handler.protocol))
    refuse('invalid_request', `this endpoint needs the subprotocol ${handler.protocol}`)
  const ticket = offered.find((offer) => offer.startsWith(TICKET_PREFIX))?.slice(TICKET_PREFIX.length)
  const caller = ticket === undefined ? await deps.authenticate(request) : await deps.redeemTicket(ticket)
  if (!caller) return refuse('invalid_token', 'this endpoint needs an access token with its proof, or a ticket')
  if (handler.scope !== undefined && !caller.scopes.some((scope) => scope === handler.scope))
    refuse('insufficient_scope', `this endpoint needs the scope ${handler.scope}`)
  return { handler, request, caller }
}

const offeredProtocols = (raw: IncomingMessage): string[] =>
  (raw.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((offer) => offer.trim())
    .filter((offer) => offer !== '')
