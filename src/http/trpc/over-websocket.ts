import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AnyRouter } from '@trpc/server'
import { applyWSSHandler } from '@trpc/server/adapters/ws'
import type { WebSocket } from 'ws'
import { isRefusal, refuse } from '../../errors.js'
import { CLOSE_CODES } from '../../protocol/log/feed.js'
import type { Caller } from '../caller.js'
import type { ConcurrencyLimit } from '../concurrency-limit.js'
import type { HttpRequest } from '../route.js'
import { reconnectElsewhere, type UpgradeHandler } from '../websocket.js'
import { MAX_BATCH } from './over-http.js'
import type { TrpcContext } from './procedures.js'

interface TrpcWebSocketDeps {
  readonly router: AnyRouter
  readonly createContext: (request: HttpRequest, caller: Caller) => TrpcContext
  /** The limit of the HTTP server, which calls over sockets share with HTTP requests. */
  readonly concurrencyLimit: ConcurrencyLimit
  /** Aborts when the caller is revoked or its token expires. */
  readonly revocationSignal: (caller: Caller) => AbortSignal
  /** Logs a bug in a subscription, once. */
  readonly onBug: (path: string, error: unknown) => void
}

/** A socket with more open subscriptions is closed with code 4429. */
const MAX_SUBSCRIPTIONS = 8
/** Maximum number of waiting and running calls of one socket; further calls are refused. */
export const MAX_CALLS = 32
/** A socket with more unsent data is closed; its client resumes from the last tracked position. */
const MAX_BUFFERED_BYTES = 262_144
const HEARTBEAT_MS = 30_000

/** The part of `WebSocketServer` that the adapter of @trpc/server uses. Its sockets were authenticated before their upgrade. */
interface AdapterSockets extends EventEmitter {
  readonly clients: Set<WebSocket>
}

/** Serves tRPC over WebSocket at `/trpc` with the adapter of @trpc/server, within the limits of this file. */
export function trpcOverWebSocket({ router, createContext, concurrencyLimit, revocationSignal, onBug }: TrpcWebSocketDeps): UpgradeHandler {
  const upgrades = new WeakMap<IncomingMessage, { caller: Caller; request: HttpRequest }>()
  const callLimits = new WeakMap<WebSocket, CallLimit>()
  const sockets: AdapterSockets = Object.assign(new EventEmitter(), { clients: new Set<WebSocket>() })
  applyWSSHandler({
    wss: sockets as unknown as Parameters<typeof applyWSSHandler>[0]['wss'], // the adapter uses only `on` and `clients`
    router,
    // Called once per socket
    createContext: ({ req, res }) => {
      const upgrade = upgrades.get(req)
      if (!upgrade) throw new Error('the socket was not authenticated')
      const callLimit = newCallLimit(concurrencyLimit, res)
      callLimits.set(res, callLimit)
      return { ...createContext(upgrade.request, upgrade.caller), runLimited: callLimit.run }
    },
    maxBatchSize: MAX_BATCH,
    onError: ({ error, path, type }) => {
      const isBug = type === 'subscription' && error.code === 'INTERNAL_SERVER_ERROR' && !isRefusal(error.cause)
      if (isBug) onBug(path ?? '', error.cause ?? error)
    },
    keepAlive: { enabled: true, pingMs: HEARTBEAT_MS, pongWaitMs: HEARTBEAT_MS },
  })
  return {
    path: '/trpc',
    accept: (ws, caller, request, raw) => {
      upgrades.set(raw, { caller, request })
      sockets.clients.add(ws)
      ws.on('close', () => sockets.clients.delete(ws))
      limitSubscriptions(ws)
      limitBuffer(ws)
      const close = () => ws.close(CLOSE_CODES.unauthenticated, 'the token was revoked or has expired')
      const signal = revocationSignal(caller)
      if (signal.aborted) return close()
      signal.addEventListener('abort', close)
      ws.on('close', () => signal.removeEventListener('abort', close))
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
function newCallLimit(concurrencyLimit: ConcurrencyLimit, ws: WebSocket): CallLimit {
  let calls = 0
  let notifyIdle: () => void = () => undefined
  return {
    run: async (work) => {
      if (calls >= MAX_CALLS)
        refuse('rate_limited', `more than ${MAX_CALLS} concurrent calls on one socket, retry in 1 s`, { retryAfterSeconds: 1 })
      calls++
      try {
        return await concurrencyLimit.run(() => ws.readyState === ws.OPEN, work)
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

function limitSubscriptions(ws: WebSocket): void {
  const open = new Set<unknown>()
  ws.on('message', (data) => {
    for (const { id, method } of messagesOf(String(data))) {
      if (method === 'subscription') open.add(id)
      if (method === 'subscription.stop') open.delete(id)
    }
    if (open.size > MAX_SUBSCRIPTIONS) ws.close(CLOSE_CODES.too_many_subscriptions, `more than ${MAX_SUBSCRIPTIONS} subscriptions`)
  })
}

function messagesOf(text: string): readonly { id?: unknown; method?: unknown }[] {
  try {
    const parsed: unknown = JSON.parse(text)
    return (Array.isArray(parsed) ? parsed : [parsed]).filter((message) => typeof message === 'object' && message !== null)
  } catch {
    // The adapter reports invalid JSON to the client
    return []
  }
}

function limitBuffer(ws: WebSocket): void {
  const send = ws.send.bind(ws) as (...args: unknown[]) => void // covers all overloads of `send`
  ws.send = ((...args: unknown[]) => {
    if (ws.bufferedAmount > MAX_BUFFERED_BYTES) return ws.close(CLOSE_CODES.slow_reader, 'the client reads too slowly')
    return send(...args)
  }) as WebSocket['send']
}
