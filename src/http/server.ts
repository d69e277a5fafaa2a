import { createServer, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { Refusal } from '../errors.js'
import { systemClock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Random } from '../lib/random.js'
import { countRefusal, type Metrics } from '../lib/telemetry/metrics.js'
import { errorResponse } from './error-response.js'
import type { FailureLog } from './handler/failure-log.js'
import { handle, NO_ENDPOINT } from './handler/handler.js'
import { newRequestId } from './handler/request.js'
import { sendOnSocket } from './handler/response.js'
import { newRouteTable } from './handler/route-table.js'
import { newBodyReader } from './limits/body-limit.js'
import { type ConnectionLimit, newConnectionLimit } from './limits/connection-limit.js'
import { newMemoryBudget } from './limits/memory-budget.js'
import { newRateLimits, type RateLimits } from './limits/rate-limit.js'
import { newRequestQueues, type RequestQueues } from './limits/request-queues.js'
import { alsoListen, listen } from './listen.js'
import type { HttpRequest, HttpResponse, Route } from './route.js'
import { newTrustedProxies } from './trusted-proxies.js'

export interface HttpOptions {
  readonly issuer: string
  readonly host: string
  /** A further address to listen on, with the same port. */
  readonly alsoHost?: string
  readonly port: number
  readonly routes: readonly Route[]
  /** Serves all paths under `/trpc/`. */
  readonly trpc?: {
    serve(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>
    maxBodyBytes(path: string): number
  }
  readonly trustedProxies: readonly string[]
  /** Browser origins that may call the OAuth and tRPC endpoints. Default: none. */
  readonly origins?: readonly string[]
  readonly random: Random
  readonly log: Log
  readonly logFailure?: FailureLog | undefined
  readonly metrics?: Metrics | undefined
  /** Default: no rate limits. */
  readonly rateLimits?: Pick<RateLimits, 'credentials'>
  readonly maxConnections?: number
  /** Default: RESPONSE_TIMEOUT_MS. */
  readonly responseTimeoutMs?: number
  /** Maximum memory of all incomplete request bodies together. */
  readonly maxUnfinishedBytes?: number
  /** Maximum memory of all responses that their callers have not read yet. */
  readonly maxUnreadBytes?: number
}

export interface HttpServer {
  readonly port: number
  /** The node server, for upgrades. */
  readonly server: Server
  /** Shared with handshakes and calls of WebSockets. */
  readonly queues: RequestQueues
  /** Shared with handshakes. */
  readonly connections: ConnectionLimit
  /** Closes each connection after its next response, so that callers reconnect to another instance. New connections are still accepted. */
  drain(): void
  /** Accepts no new connections and waits for the running requests. */
  close(): Promise<void>
  /** Closes all remaining connections at once. */
  terminate(): void
}

const MAX_HEADER_BYTES = 16_384
/** Default of `maxUnreadBytes`. Past it, the connection whose response has waited longest is closed. */
const MAX_UNREAD_BYTES = 67_108_864
/** A request that has not arrived completely after this time gets 408. */
const REQUEST_MS = 30_000
/** A request whose body has arrived gets 503 after this time, even if the storage hangs. Its work is not cancelled. */
export const RESPONSE_TIMEOUT_MS = 10_000
/** A request whose headers have not arrived after this time gets 408. */
const HEADERS_MS = 10_000
/** An idle connection is closed after this time. */
const KEEP_ALIVE_MS = 65_000

const SERVER = { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS }

export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { host, alsoHost, origins = [] } = options

  let isDraining = false
  const server = createServer(SERVER, (request, response) => {
    handle(deps, request, response).catch((error: unknown) => {
      options.log.error('a response could not be sent', error)
      response.destroy()
    })
  })
  // No limit: `tooManyHeaders` refuses them
  server.maxHeadersCount = 0
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseUnreadable(error, socket, options))
  const connections = newConnectionLimit(server, options.maxConnections)
  const queues = newRequestQueues(options.rateLimits ?? newRateLimits('off', systemClock), options.metrics)
  const deps = {
    ...options,
    origins,
    queues,
    connections,
    responseTimeoutMs: options.responseTimeoutMs ?? RESPONSE_TIMEOUT_MS,
    routesOf: newRouteTable([...trpcRoutes(options), ...options.routes]),
    readBody: newBodyReader(options.maxUnfinishedBytes),
    unread: newMemoryBudget(options.maxUnreadBytes ?? MAX_UNREAD_BYTES),
    isProxy: newTrustedProxies(options.trustedProxies),
    isDraining: () => isDraining,
  }
  const port = await listen(server, host, options.port)
  const closeFurther = alsoHost === undefined ? undefined : await alsoListen(server, alsoHost, port)
  return {
    port,
    server,
    queues,
    connections,
    drain: () => {
      isDraining = true
    },
    close: async () => {
      isDraining = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      closeFurther?.()
      connections.closeUnused()
      await closed
    },
    terminate: () => server.closeAllConnections(),
  }
}

const TRPC_PATHS = '/trpc/*'
const trpcRoutes = ({ trpc }: HttpOptions): Route[] =>
  trpc
    ? (['GET', 'POST'] as const).map((method) => ({ method, path: TRPC_PATHS, endpoint: trpc.serve, maxBodyBytes: trpc.maxBodyBytes }))
    : []

/** Refuses a request that node:http cannot read. Its connection is closed, because the end of the request is not known. */
function refuseUnreadable({ code }: NodeJS.ErrnoException, socket: Duplex, { random, metrics }: HttpOptions): void {
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const { status, text } = UNREADABLE[code ?? ''] ?? { status: 400, text: 'the request is malformed' }
  const refusal = new Refusal('invalid_request', text)
  countRefusal(metrics, refusal)
  metrics?.httpRequests.inc({ endpoint: NO_ENDPOINT, outcome: 'refused' })
  sendOnSocket(socket, { ...errorResponse(refusal, { requestId: newRequestId(random) }), status })
}

const UNREADABLE: Readonly<Record<string, { readonly status: number; readonly text: string }>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, text: 'the request did not arrive in time' },
  HPE_HEADER_OVERFLOW: { status: 431, text: `the headers are larger than ${MAX_HEADER_BYTES / 1024} KiB` },
}
