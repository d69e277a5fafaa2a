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
import { move, type UpgradeHandler } from '../websocket.js'
import { MAX_BATCH } from './over-http.js'
import type { TrpcContext } from './procedures.js'

export interface TrpcWebSocketDeps {
  readonly router: AnyRouter
  readonly createContext: (request: HttpRequest, caller: Caller) => TrpcContext
  /** The queue of the requests over HTTP: a call over a socket waits in it too. */
  readonly admission: ConcurrencyLimit
  /** Aborts when the caller's standing ends or its token expires. */
  readonly alive: (caller: Caller) => AbortSignal
  /** Logs a bug of a subscription, once. */
  readonly onBug: (path: string, error: unknown) => void
}

const MAX_SUBSCRIPTIONS = 8
/** Calls of one socket that wait or are worked on. */
export const MAX_CALLS = 32
/** A reader so far behind is closed; its client resumes from the tracked position. */
const MAX_BUFFERED_BYTES = 262_144
const PING_MS = 30_000

/** The part of a `WebSocketServer` that the stock adapter uses: it is handed sockets that were authenticated before their upgrade. */
interface Sockets extends EventEmitter {
  readonly clients: Set<WebSocket>
}

/** tRPC over WebSocket at `/trpc`, by the stock adapter behind our limits. */
export function trpcOverWebSocket({ router, createContext, admission, alive, onBug }: TrpcWebSocketDeps): UpgradeHandler {
  const callers = new WeakMap<IncomingMessage, { caller: Caller; request: HttpRequest }>()
  const calls = new WeakMap<WebSocket, Calls>()
  const sockets: Sockets = Object.assign(new EventEmitter(), { clients: new Set<WebSocket>() })
  applyWSSHandler({
    wss: sockets as unknown as Parameters<typeof applyWSSHandler>[0]['wss'], // what it uses of one: `on`, `clients`
    router,
    // Once a socket.
    createContext: ({ req, res }) => {
      const known = callers.get(req)
      if (!known) throw new Error('a socket that was not authenticated')
      const own = newCalls(admission, res)
      calls.set(res, own)
      return { ...createContext(known.request, known.caller), admit: own.admit }
    },
    maxBatchSize: MAX_BATCH,
    onError: ({ error, path, type }) => {
      const isBug = type === 'subscription' && error.code === 'INTERNAL_SERVER_ERROR' && !isRefusal(error.cause)
      if (isBug) onBug(path ?? '', error.cause ?? error)
    },
    keepAlive: { enabled: true, pingMs: PING_MS, pongWaitMs: PING_MS },
  })
  return {
    path: '/trpc',
    accept: (ws, caller, request, raw) => {
      callers.set(raw, { caller, request })
      sockets.clients.add(ws)
      ws.on('close', () => sockets.clients.delete(ws))
      limitSubscriptions(ws)
      limitBuffer(ws)
      const end = () => ws.close(CLOSE_CODES.unauthenticated, 'the token no longer stands')
      const signal = alive(caller)
      if (signal.aborted) return end()
      signal.addEventListener('abort', end)
      ws.on('close', () => signal.removeEventListener('abort', end))
      sockets.emit('connection', ws, raw)
    },
    leave: (ws) => {
      if (ws.readyState === ws.OPEN) ws.send(RECONNECT)
      const own = calls.get(ws)
      if (own) own.whenIdle(() => move(ws))
      else move(ws)
    },
  }
}

/** As the stock client understands it: it connects again, and waits here for what is under way. */
const RECONNECT = JSON.stringify({ id: null, method: 'reconnect' })

interface Calls {
  readonly admit: NonNullable<TrpcContext['admit']>
  /** Once the calls under way have been answered. */
  whenIdle(then: () => void): void
}

/** A socket takes the places of some calls at most; more are refused at once, and the others go on. */
function newCalls(admission: ConcurrencyLimit, ws: WebSocket): Calls {
  let calls = 0
  let idle: () => void = () => undefined
  return {
    admit: async (work) => {
      if (calls >= MAX_CALLS) refuse('rate_limited', `at most ${MAX_CALLS} calls of one socket at once`, { retryAfterSeconds: 1 })
      calls++
      try {
        return await admission.run(() => ws.readyState === ws.OPEN, work)
      } finally {
        // The answer is sent in this turn
        if (--calls === 0) setImmediate(idle)
      }
    },
    whenIdle: (then) => {
      idle = then
      if (calls === 0) setImmediate(then)
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
    if (open.size > MAX_SUBSCRIPTIONS) ws.close(CLOSE_CODES.too_many_subscriptions, `at most ${MAX_SUBSCRIPTIONS} subscriptions`)
  })
}

function messagesOf(text: string): readonly { id?: unknown; method?: unknown }[] {
  try {
    const parsed: unknown = JSON.parse(text)
    return (Array.isArray(parsed) ? parsed : [parsed]).filter((one) => typeof one === 'object' && one !== null)
  } catch {
    // The adapter answers what is not JSON.
    return []
  }
}

function limitBuffer(ws: WebSocket): void {
  const send = ws.send.bind(ws) as (...args: unknown[]) => void // the overloads of `send`, passed on as they are
  ws.send = ((...args: unknown[]) => {
    if (ws.bufferedAmount > MAX_BUFFERED_BYTES) return ws.close(CLOSE_CODES.slow_reader, 'the reader is too slow')
    return send(...args)
  }) as WebSocket['send']
}
