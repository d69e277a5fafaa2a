import { createServer, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { isRefusal, Refusal } from '../errors.js'
import { systemClock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Random } from '../lib/random.js'
import { TimeoutError, withTimeout } from '../lib/timeout.js'
import { corsHeaders, preflightHeaders } from './cors.js'
import { errorResponse } from './error-response.js'
import { BODY_BYTES, MAX_BODY_BYTES, newBodyReader } from './limits/body-limit.js'
import { newConnectionLimit } from './limits/connection-limit.js'
import { type MemoryBudget, newMemoryBudget } from './limits/memory-budget.js'
import { newRateLimits, type RateLimits } from './limits/rate-limit.js'
import { type EnterAs, newRequestQueues, type RequestQueues } from './limits/request-queues.js'
import { listen } from './listen.js'
import type { HttpRequest, HttpResponse, Route } from './route.js'
import { clientAddressOf, newTrustedProxies } from './trusted-proxies.js'

export interface HttpOptions {
  readonly issuer: string
  readonly host: string
  readonly port: number
  readonly routes: readonly Route[]
  /** Serves all paths under `/trpc/`. */
  readonly trpc?: {
    /** The signal aborts when the caller disconnects. */
    serve(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>
    maxBodyBytes(path: string): number
  }
  readonly trustedProxies: readonly string[]
  /** Browser origins that may call the OAuth and tRPC endpoints. Default: none. */
  readonly origins?: readonly string[]
  readonly random: Random
  readonly log: Log
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
  readonly server: FastifyInstance['server']
  /** Shared with handshakes and calls of WebSockets. */
  readonly queues: RequestQueues
  /** Closes each connection after its next response, so that callers reconnect to another instance. New connections are still accepted. */
  drain(): void
  /** Accepts no new connections and waits for the running requests. */
  close(): Promise<void>
  /** Closes all remaining connections at once. */
  terminate(): void
}

const MAX_HEADER_BYTES = 16_384
const MAX_HEADERS = 100
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

/** Headers that must not be sent twice. node:http would silently keep the first. */
const SINGLE_HEADERS = ['authorization', 'dpop', 'content-type']

export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const queues = newRequestQueues(options.rateLimits ?? newRateLimits('off', systemClock))
  const isProxy = newTrustedProxies(options.trustedProxies)
  const app = newApp(options, queues, isProxy)
  const connections = newConnectionLimit(app.server, options.maxConnections)
  const unread = newMemoryBudget(options.maxUnreadBytes ?? MAX_UNREAD_BYTES)
  const timeoutMs = options.responseTimeoutMs ?? RESPONSE_TIMEOUT_MS
  let isDraining = false
  const { origins = [] } = options
  app.addHook('onSend', async (request, reply) => {
    const vary = reply.getHeader('vary')
    const cors = corsHeaders(pathOf(request.url), request.headers.origin, origins)
    reply.headers({ ...cors, ...(vary !== undefined && cors.vary !== undefined && { vary: `${vary}, ${cors.vary}` }) })
    const { socket } = request.raw
    // Also a batch of which only some calls are past a rate
    const isPastRate = reply.statusCode === 429 || reply.hasHeader('ratelimit')
    const isRefused = isPastRate && !(await withDisconnectSignal(socket, queues.hold))
    if (isDraining || isRefused) reply.header('connection', 'close')
  })
  const route = (method: string[], url: string, endpoint: (request: HttpRequest, signal: AbortSignal) => Promise<HttpResponse>) =>
    app.route({
      method,
      url,
      handler: async (request, reply) =>
        withDisconnectSignal(request.raw.socket, async (signal) => {
          const received = requestOf(options.issuer, request, isProxy)
          const work = (enterAs: EnterAs) => endpoint({ ...received, enterAs }, signal)
          const running = connections.whileBusy(request.raw.socket, () => queues.run(received, signal, work))
          const response = await withTimeout(systemClock, timeoutMs, 'the response', running).catch(refuseOnTimeout)
          reserveUntilRead(unread, reply.raw, request.raw.socket, response.body?.length ?? 0)
          return send(reply, response)
        }),
    })
  for (const { method, path, endpoint } of options.routes) route(method === 'GET' ? ['GET', 'HEAD'] : [method], path, endpoint)
  if (options.trpc) route(['GET', 'HEAD', 'POST'], '/trpc/*', options.trpc.serve)
  await listen(options.host, options.port, app.listen({ host: options.host, port: options.port }))
  const address = app.server.address()
  return {
    port: typeof address === 'object' && address ? address.port : options.port,
    server: app.server,
    queues,
    drain: () => {
      isDraining = true
    },
    close: async () => {
      isDraining = true
      const closed = app.close()
      connections.closeUnused()
      await closed
    },
    terminate: () => app.server.closeAllConnections(),
  }
}

function newApp(
  { random, log, maxUnfinishedBytes, trpc, origins = [] }: HttpOptions,
  queues: RequestQueues,
  isProxy: (address: string) => boolean,
): FastifyInstance {
  const newRequestId = () => `req_${random.token(12)}`
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    serverFactory: (handler) =>
      createServer(SERVER, (request, response) => {
        const url = withoutNeedlessEscapes(request.url ?? '/')
        request.url = url
        const { method = 'GET', headers } = request
        const refusal = queues.refusalFor({ method, path: url, headers, address: clientAddressOf(request, isProxy) })
        if (refusal) void rejectEarly(queues, response, errorResponse(refusal, newRequestId()))
        else handler(request, response)
      }),
    genReqId: newRequestId,
    frameworkErrors: (error, request, reply) => void send(reply, render(request, frameworkRefusal(error) ?? error)),
    forceCloseConnections: 'idle',
    // Requests that were sent before `close` still get their response
    return503OnClosing: false,
    routerOptions: { maxParamLength: 512 },
    exposeHeadRoutes: false,
  })
  app.server.maxHeadersCount = MAX_HEADERS
  const readBody = newBodyReader(maxUnfinishedBytes)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', ({ raw, url }: FastifyRequest) =>
    readBody(raw, url.startsWith('/trpc/') && trpc ? trpc.maxBodyBytes(pathOf(url)) : BODY_BYTES),
  )
  app.setErrorHandler(async (error: Error & { statusCode?: number; code?: string }, request, reply) => {
    const refusal = isRefusal(error) ? error : frameworkRefusal(error)
    if (refusal === undefined) log.error('request failed', error, logFields(request))
    else if (request.raw.socket.destroyed) log.debug('the client closed the connection during a request', logFields(request))
    return send(reply, render(request, refusal ?? error))
  })
  app.setNotFoundHandler(async (request, reply) => {
    const methods = methodsOf(app, request)
    const { origin } = request.headers
    const isPreflight = request.method === 'OPTIONS' && origin !== undefined && methods.length > 0
    const preflight = isPreflight ? preflightHeaders(pathOf(request.url), { origin, origins, methods }) : undefined
    return send(reply, preflight ? { status: 204, headers: preflight } : render(request, noEndpoint(methods)))
  })
  return app
}

const SERVER = { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS }

/** Bypasses the framework, because this response is sent under overload and must be cheap. The body of the request is not read. */
async function rejectEarly(queues: RequestQueues, response: ServerResponse, { status, headers, body }: HttpResponse): Promise<void> {
  const wasHeld = status !== 429 || (await withDisconnectSignal(response.req.socket, queues.hold))
  response.writeHead(status, { ...headers, ...(!wasHeld && { connection: 'close' }) }).end(body)
}

/** The framework's own timeout covers only the time until the body has arrived. */
function refuseOnTimeout(error: unknown): never {
  throw error instanceof TimeoutError
    ? new Refusal('unavailable', 'the registry could not respond in time, retry in 1 s', { retryAfterSeconds: 1 })
    : error
}

/**
 * Runs `work` with a signal that aborts when the connection closes. It listens to the socket, because a response that is queued behind
 * another one of the same connection never emits `close`.
 */
async function withDisconnectSignal<T>(socket: Socket, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const disconnected = new AbortController()
  const abort = () => disconnected.abort()
  if (socket.destroyed) abort()
  socket.once('close', abort)
  try {
    return await work(disconnected.signal)
  } finally {
    socket.off('close', abort)
  }
}

/** Reserves the memory of a response until its caller has read it. A slow reader holds no slot, but past the budget its connection is closed. */
function reserveUntilRead(unread: MemoryBudget, response: ServerResponse, socket: Socket, bytes: number): void {
  // If the response was already sent, `finish` will not be emitted again
  if (response.writableEnded || socket.destroyed) return
  const reservation = unread.reserve(() => socket.destroy())
  const release = () => {
    response.off('finish', release)
    socket.off('close', release)
    reservation.release()
  }
  response.once('finish', release)
  socket.once('close', release)
  reservation.grow(bytes)
}

function requestOf(issuer: string, request: FastifyRequest, isProxy: (address: string) => boolean): HttpRequest {
  const target = request.raw.url ?? '/'
  const path = pathOf(target)
  return {
    method: request.method,
    path,
    // A proof names the public URL, so Host and X-Forwarded-* must not influence this value
    url: issuer + path,
    params: paramsOf(request.params),
    query: new URLSearchParams(target.slice(path.length + 1)),
    headers: headersOf(request),
    body: request.body instanceof Uint8Array ? request.body : new Uint8Array(),
    requestId: request.id,
    address: clientAddressOf(request.raw, isProxy),
  }
}

const paramsOf = (params: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(typeof params === 'object' && params !== null ? params : {}).map(([name, value]) => [name, String(value)]),
  )

/** The headers as node:http reports them. A repeated header of SINGLE_HEADERS becomes an array, which every endpoint rejects. */
export function headersOf(request: {
  readonly headers: HttpRequest['headers']
  readonly raw?: { readonly rawHeaders: readonly string[] }
  readonly rawHeaders?: readonly string[]
}): HttpRequest['headers'] {
  const raw = request.raw?.rawHeaders ?? request.rawHeaders ?? []
  const valuesByName = new Map<string, string[]>(SINGLE_HEADERS.map((name) => [name, []]))
  for (let i = 1; i < raw.length; i += 2) valuesByName.get(raw[i - 1]?.toLowerCase() ?? '')?.push(raw[i] ?? '')
  const repeated = [...valuesByName].filter(([, values]) => values.length > 1)
  return repeated.length === 0 ? request.headers : { ...request.headers, ...Object.fromEntries(repeated) }
}

const pathOf = (url: string): string => url.split('?', 1)[0] ?? ''

/** Letters that need no percent-encoding are decoded, so that a path has one spelling (RFC 3986 §6.2.2.2). */
const withoutNeedlessEscapes = (url: string): string =>
  url.replace(/^[^?]*/, (path) =>
    path.replace(/%(?:4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9ae]|3\d|2[de]|5f)/gi, (escaped) => decodeURIComponent(escaped)),
  )

const render = ({ id }: FastifyRequest, error: unknown): HttpResponse => errorResponse(error, id)

/** Converts an error of the framework itself to a refusal; undefined for a bug. */
function frameworkRefusal({ statusCode, code }: { statusCode?: number; code?: string }): Refusal | undefined {
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new Refusal('body_too_large', 'the body is larger than the limit of this endpoint')
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return new Refusal('invalid_request', 'the request is malformed')
  return undefined
}

/** The methods that the endpoint at the path of a request supports; empty if there is none. */
const methodsOf = (app: FastifyInstance, { url }: FastifyRequest): readonly string[] =>
  (['GET', 'HEAD', 'POST'] as const).filter((method) => app.findRoute({ method, url: pathOf(url) }) !== null)

const noEndpoint = (allow: readonly string[]): Refusal =>
  allow.length > 0
    ? new Refusal('method_not_allowed', 'this endpoint does not support the HTTP method of the request', { allow })
    : new Refusal('not_found', 'no endpoint has this path')

const logFields = ({ id, routeOptions }: FastifyRequest) => ({ 'request.id': id, 'request.path': routeOptions.url ?? '' })

async function send(reply: FastifyReply, { status, headers = {}, body }: HttpResponse): Promise<FastifyReply> {
  return reply
    .code(status)
    .headers({ 'x-content-type-options': 'nosniff', ...headers })
    .send(body)
}
