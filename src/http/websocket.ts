import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { isRefusal, Refusal, refuse } from '../errors.js'
import type { Log } from '../lib/log.js'
import type { Random } from '../lib/random.js'
import { CLOSE_CODES, MAX_FRAME_BYTES, TICKET_PREFIX } from '../protocol/log/feed.js'
import type { RegistryScope } from '../protocol/rights.js'
import type { Caller } from './caller.js'
import { errorResponse } from './error-response.js'
import type { HttpRequest } from './route.js'
import { headersOf } from './server.js'
import { addressOf, newTrustedProxies } from './trusted-proxies.js'

/** Who takes the sockets of one path. */
export interface UpgradeHandler {
  readonly path: string
  /** The subprotocol to select; undefined: none is needed. */
  readonly protocol?: string
  readonly scope?: RegistryScope
  /** Closes a socket of it where this instance goes away; absent: at once. */
  leave?(socket: WebSocket): void
  accept(socket: WebSocket, caller: Caller, request: HttpRequest, raw: IncomingMessage): void
}

export interface UpgradeDeps {
  readonly issuer: string
  readonly handlers: readonly UpgradeHandler[]
  /** Browser origins that may connect. */
  readonly origins: readonly string[]
  readonly authenticate: (request: HttpRequest) => Promise<Caller | undefined>
  readonly redeemTicket: (ticket: string) => Promise<Caller | undefined>
  readonly trustedProxies: readonly string[]
  readonly random: Random
  readonly log: Log
}

/** Handshakes in flight of one address; open sockets of one client, so that none can shut out the others, and of all. */
const MAX_HANDSHAKES = 64
export const MAX_SOCKETS_OF_CLIENT = 256
const MAX_SOCKETS = 20_000
const MAX_PROTOCOLS = 8
/** In which the other end has to close as well (the types of ws do not know it). */
const CLOSING = { closeTimeout: 5000 }

export interface Upgrades {
  readonly sockets: number
  /** Sends every socket elsewhere. */
  close(): void
  /** Cuts what is left. */
  cut(): void
}

/** Every upgrade comes through here: origin, then who it is, and only then a WebSocket. */
export function serveUpgrades(server: Server, deps: UpgradeDeps): Upgrades {
  const wss = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    ...CLOSING,
    // A client that offers something fails where nothing is selected (WHATWG WebSockets §3.1), also where it offers a ticket alone.
    handleProtocols: (offered, request) =>
      protocolOf(deps, request)?.protocol ?? [...offered].find((one) => !one.startsWith(TICKET_PREFIX)) ?? [...offered][0] ?? false,
  })
  const handshakes = newTally(MAX_HANDSHAKES)
  const sockets = newTally(MAX_SOCKETS_OF_CLIENT)
  const isProxy = newTrustedProxies(deps.trustedProxies)
  const handlers = new WeakMap<WebSocket, UpgradeHandler>()

  const onUpgrade = async (raw: IncomingMessage, socket: Duplex, head: Buffer) => {
    const address = addressOf(raw, isProxy)
    const requestId = `req_${deps.random.token(12)}`
    // A peer that goes away is no error of ours.
    socket.on('error', () => socket.destroy())
    // Before anything is counted: who is refused here takes nobody's place, and frees none.
    if (handshakes.isFull(address) || wss.clients.size >= MAX_SOCKETS)
      return deny(socket, new Refusal('rate_limited', 'too many connections', { retryAfterSeconds: 1 }), requestId)
    handshakes.enter(address)
    try {
      const { handler, request, caller } = await admit(deps, requestOf(deps, raw, { address, requestId }), raw)
      if (socket.destroyed) return
      // From here to the socket in one turn, so that no other handshake of this client comes between.
      if (sockets.isFull(caller.id)) refuse('rate_limited', 'too many sockets of this client', { retryAfterSeconds: 1 })
      wss.handleUpgrade(raw, socket, head, (ws) => {
        sockets.enter(caller.id)
        handlers.set(ws, handler)
        ws.on('close', () => sockets.leave(caller.id))
        ws.on('error', () => ws.terminate())
        handler.accept(ws, caller, request, raw)
      })
    } catch (error) {
      if (!isRefusal(error)) deps.log.error('an upgrade failed', error, { 'request.id': requestId })
      deny(socket, error, requestId)
    } finally {
      handshakes.leave(address)
    }
  }
  server.on('upgrade', (raw, socket, head) => void onUpgrade(raw, socket, head))
  return {
    get sockets() {
      return wss.clients.size
    },
    close: () => {
      for (const ws of wss.clients) {
        const handler = handlers.get(ws)
        if (handler?.leave) handler.leave(ws)
        else move(ws)
      }
      wss.close()
    },
    cut: () => {
      for (const ws of wss.clients) ws.terminate()
    },
  }
}

/** Tells its other end to connect again, elsewhere. */
export function move(ws: WebSocket, farewell?: string): void {
  if (farewell !== undefined && ws.readyState === ws.OPEN) ws.send(farewell)
  ws.close(CLOSE_CODES.moved, 'this instance goes away')
}

/** How many each has, of `max`. */
function newTally(max: number): { isFull(of: string): boolean; enter(of: string): void; leave(of: string): void } {
  const counts = new Map<string, number>()
  const countOf = (of: string): number => counts.get(of) ?? 0
  return {
    isFull: (of) => countOf(of) >= max,
    enter: (of) => counts.set(of, countOf(of) + 1),
    leave: (of) => {
      if (countOf(of) <= 1) counts.delete(of)
      else counts.set(of, countOf(of) - 1)
    },
  }
}

async function admit(
  deps: UpgradeDeps,
  request: HttpRequest,
  raw: IncomingMessage,
): Promise<{ handler: UpgradeHandler; request: HttpRequest; caller: Caller }> {
  const handler = deps.handlers.find(({ path }) => path === request.path) ?? refuse('not_found', 'there is nothing here')
  const { origin } = raw.headers
  // RFC 6455 §10.2: browsers say where a script comes from; who is not on the list is not upgraded.
  if (origin !== undefined && !deps.origins.includes(origin)) refuse('origin_not_allowed', 'this origin is not on the list')
  if (['access_token', 'token', 'ticket', 'authorization'].some((name) => request.query.has(name)))
    refuse('invalid_request', 'credentials do not belong in a URL')
  const offered = offeredProtocols(raw)
  if (offered.length > MAX_PROTOCOLS) refuse('invalid_request', 'too many subprotocols')
  if (handler.protocol !== undefined && !offered.includes(handler.protocol))
    refuse('invalid_request', `offer the subprotocol ${handler.protocol}`)
  const ticket = offered.find((one) => one.startsWith(TICKET_PREFIX))?.slice(TICKET_PREFIX.length)
  const caller = ticket === undefined ? await deps.authenticate(request) : await deps.redeemTicket(ticket)
  if (!caller) return refuse('invalid_token', 'a token with its proof, or a ticket, is needed')
  if (handler.scope !== undefined && !caller.scopes.some((one) => one === handler.scope))
    refuse('insufficient_scope', `this needs the scope ${handler.scope}`)
  return { handler, request, caller }
}

const offeredProtocols = (raw: IncomingMessage): string[] =>
  (raw.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')

const protocolOf = ({ handlers }: UpgradeDeps, raw: IncomingMessage): UpgradeHandler | undefined =>
  handlers.find(({ path, protocol }) => protocol !== undefined && path === (raw.url ?? '').split('?')[0])

function requestOf({ issuer }: UpgradeDeps, raw: IncomingMessage, known: Pick<HttpRequest, 'address' | 'requestId'>): HttpRequest {
  const [path = '/', query = ''] = (raw.url ?? '/').split('?')
  return {
    method: raw.method ?? 'GET',
    path,
    url: issuer + path,
    params: {},
    query: new URLSearchParams(query),
    headers: headersOf(raw),
    body: new Uint8Array(),
    ...known,
  }
}

/** The answer of every other door, on a socket that has no response yet. */
function deny(socket: Duplex, error: unknown, requestId: string): void {
  if (socket.destroyed) return
  const { status, headers = {}, body = '' } = errorResponse(error, requestId)
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}`,
    ...Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' }).map(
      ([name, value]) => `${name}: ${value}`,
    ),
  ]
  // Not half: its sender need never close it, and no limit counts it.
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}
