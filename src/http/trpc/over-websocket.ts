import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AnyRouter } from '@trpc/server'
import { applyWSSHandler } from '@trpc/server/adapters/ws'
import type { WebSocket } from 'ws'
import { isRefusal, refuse } from '../../errors.js'
import { isJsonObject, type JsonObject } from '../../lib/json.js'
import { CLOSE_CODES } from '../../protocol/log/feed.js'
import type { Caller, TokenCaller } from '../caller.js'
import type { ConcurrencyLimit } from '../limits/concurrency-limit.js'
import type { HttpRequest } from '../route.js'
import { reconnectElsewhere, type UpgradeHandler } from '../websocket.js'
import { MAX_BATCH, requireJson } from './over-http.js'
import { errorShape, type TrpcContext } from './procedures.js'

interface TrpcWebSocketDeps {
  readonly router: AnyRouter
  readonly createContext: (request: HttpRequest, caller: TokenCaller) => TrpcContext
  /** The limit of authenticated clients, which calls over sockets share with HTTP requests. */
  readonly concurrencyLimit: ConcurrencyLimit
  /** Aborts when the caller is revoked, when its token expires, or when `closed` aborts. */
  readonly revocationSignal: (caller: Caller, closed: AbortSignal) => AbortSignal
  /** Logs a bug in a subscription, once. */
  readonly onBug: (path: string, error: unknown) => void
}

/** A socket with more open subscriptions is closed with code 4429. */
const MAX_SUBSCRIPTIONS = 8
/** Maximum number of waiting and running calls of one socket; further calls are refused. */
export const MAX_CALLS = 32
/** A socket with more unsent data is closed; its client resumes from the last tracked position. */
const MAX_BUFFERED_BYTES = 262_144

/** The part of `WebSocketServer` that the adapter of @trpc/server uses. Its sockets were authenticated before their upgrade. */
interface AdapterSockets extends EventEmitter {
  readonly clients: Set<WebSocket>
}

/** Serves tRPC over WebSocket at `/trpc` with the adapter of @trpc/server, within the limits of this file. */
export function trpcOverWebSocket({ router, createContext, concurrencyLimit, revocationSignal, onBug }: TrpcWebSocketDeps): UpgradeHandler {
  const upgrades = new WeakMap<IncomingMessage, { caller: TokenCaller; request: HttpRequest }>()
  const callLimits = new WeakMap<WebSocket, CallLimit>()
  const sockets: AdapterSockets = Object.assign(new EventEmitter(), { clients: new Set<WebSocket>() })
  applyWSSHandler({
    wss: sockets as unknown as Parameters<typeof applyWSSHandler>[0]['wss'], // the adapter uses only `on` and `clients`
    router,
    // Called once per socket
    createContext: ({ req, res }) => {
      const upgrade = upgrades.get(req)
      if (!upgrade) throw new Error('the socket was not authenticated')
      const callLimit = newCallLimit(concurrencyLimit, res, upgrade.caller.id)
      callLimits.set(res, callLimit)
      return { ...createContext(upgrade.request, upgrade.caller), runLimited: callLimit.run }
    },
    maxBatchSize: MAX_BATCH,
    onError: ({ error, path, type }) => {
      const isBug = type === 'subscription' && error.code === 'INTERNAL_SERVER_ERROR' && !isRefusal(error.cause)
      if (isBug) onBug(path ?? '', error.cause ?? error)
    },
  })
  return {
    path: '/trpc',
    accept: (ws, caller, request, raw) => {
      upgrades.set(raw, { caller, request })
      sockets.clients.add(ws)
      ws.on('close', () => sockets.clients.delete(ws))
      checkFrames(ws)
      limitBuffer(ws)
      const close = () => ws.close(CLOSE_CODES.unauthenticated, 'the token was revoked or has expired')
      const closed = new AbortController()
      ws.on('close', () => closed.abort())
      const signal = revocationSignal(caller, closed.signal)
      if (signal.aborted) return close()
      signal.addEventListener('abort', close)
      sockets.emit('connection', ws, raw)
    },
    drain: (ws) => {
      if (ws.readyState === ws.OPEN) ws.send(RECONNECT)
      const callLimit = callLimits.get(ws)
      if (callLimit) callLimit.whenIdle(() => reconnectElsewhere(ws))
      else reconnectElsewhere(ws)
    },
  }
}

/** On this message the client of @trpc/client opens a new connection, and still waits for pending responses on this one. */
const RECONNECT = JSON.stringify({ id: null, method: 'reconnect' })

interface CallLimit {
  readonly run: NonNullable<TrpcContext['runLimited']>
  /** Calls `onIdle` once the running calls have been answered. */
  whenIdle(onIdle: () => void): void
}

/** Limits the calls of one socket to MAX_CALLS within the concurrency limit of the server. Further calls are refused at once. */
function newCallLimit(concurrencyLimit: ConcurrencyLimit, ws: WebSocket, clientId: string): CallLimit {
  let calls = 0
  let notifyIdle: () => void = () => undefined
  return {
    run: async (work) => {
      if (calls >= MAX_CALLS)
        refuse('rate_limited', `more than ${MAX_CALLS} concurrent calls on one socket, retry in 1 s`, { retryAfterSeconds: 1 })
      calls++
      try {
        return await concurrencyLimit.run(clientId, () => ws.readyState === ws.OPEN, work)
      } finally {
        // The adapter sends the response within this event-loop turn
        if (--calls === 0) setImmediate(notifyIdle)
      }
    },
    whenIdle: (onIdle) => {
      notifyIdle = onIdle
      if (calls === 0) setImmediate(onIdle)
    },
  }
}

/**
 * Reads every frame before the adapter does. A frame that is not strict JSON is refused, because the adapter would accept it. A socket with
 * too many subscriptions is closed.
 */
function checkFrames(ws: WebSocket): void {
  const open = new Set<unknown>()
  const emit = ws.emit.bind(ws)
  ws.emit = (event: string | symbol, ...args: unknown[]) => {
    const text = event === 'message' ? String(args[0]) : undefined
    // The keep-alive messages of @trpc/client are no JSON
    if (text === undefined || text === 'PING' || text === 'PONG') return emit(event, ...args)
    try {
      for (const { id, method } of messagesOf(text)) {
        if (method === 'subscription') open.add(id)
        if (method === 'subscription.stop') open.delete(id)
      }
    } catch (error) {
      if (!isRefusal(error)) throw error
      ws.send(JSON.stringify({ id: null, error: { code: PARSE_ERROR, ...errorShape(error) } }))
      return true
    }
    if (open.size > MAX_SUBSCRIPTIONS) ws.close(CLOSE_CODES.too_many_subscriptions, `more than ${MAX_SUBSCRIPTIONS} subscriptions`)
    return emit(event, ...args)
  }
  const send = ws.send.bind(ws) as (...args: unknown[]) => void // covers all overloads of `send`
  ws.send = ((...args: unknown[]) => {
    // A subscription that was refused or has failed is no longer open
    if (open.size > 0 && String(args[0]).includes('"error":'))
      for (const { id, error } of messagesOf(String(args[0]))) if (error !== undefined) open.delete(id)
    return send(...args)
  }) as WebSocket['send']
}

function messagesOf(text: string): readonly JsonObject[] {
  const parsed = requireJson(text)
  return (Array.isArray(parsed) ? parsed : [parsed]).filter(isJsonObject)
}

/** JSON-RPC 2.0 §5.1. */
const PARSE_ERROR = -32700

function limitBuffer(ws: WebSocket): void {
  const send = ws.send.bind(ws) as (...args: unknown[]) => void // covers all overloads of `send`
  ws.send = ((...args: unknown[]) => {
    if (ws.bufferedAmount > MAX_BUFFERED_BYTES) return ws.close(CLOSE_CODES.slow_reader, 'the client reads too slowly')
    return send(...args)
  }) as WebSocket['send']
}
