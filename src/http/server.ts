import { createServer, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { isRefusal, Refusal } from '../errors.js'
import { systemClock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Random } from '../lib/random.js'
import { TimedOut, withTimeout } from '../lib/timeout.js'
import { MAX_BODY_BYTES, newBodyReader } from './body-limit.js'
import { type ConcurrencyLimit, newConcurrencyLimit } from './concurrency-limit.js'
import { newConnectionLimit } from './connection-limit.js'
import { errorResponse } from './error-response.js'
import { listen } from './listen.js'
import { type MemoryBudget, newMemoryBudget } from './memory-budget.js'
import type { HttpRequest, HttpResponse, Route } from './route.js'
import { addressOf, newTrustedProxies } from './trusted-proxies.js'

export interface HttpOptions {
  readonly issuer: string
  readonly host: string
  readonly port: number
  readonly routes: readonly Route[]
  /** Answers everything under `/trpc/`. The signal aborts when the caller hangs up. */
  readonly trpc?: (request: HttpRequest, signal: AbortSignal) => Promise<HttpResponse>
  readonly trustedProxies: readonly string[]
  readonly random: Random
  readonly log: Log
  readonly maxConnections?: number
  /** In which a request that is there is answered. */
  readonly answerMs?: number
  /** Of all bodies together that have come in part. */
  readonly maxUnfinishedBytes?: number
  /** Of all answers together that their callers have not taken. */
  readonly maxUnreadBytes?: number
}

export interface HttpServer {
  readonly port: number
  /** The node server, for upgrades. */
  readonly server: FastifyInstance['server']
  /** Whose turn it is, also for calls that come over its sockets. */
  readonly admission: ConcurrencyLimit
  /** From now on each answer is the last on its connection, so that callers go elsewhere. New ones are taken still. */
  leave(): void
  /** Takes no new connections and waits for the requests under way. */
  close(): Promise<void>
  /** Cuts what is left. */
  cut(): void
}

/** A form of the largest request that makes sense: two tokens, an assertion, details. */
const MAX_FORM_BYTES = 65_536
const MAX_HEADER_BYTES = 16_384
const MAX_HEADERS = 100
const MAX_UNREAD_BYTES = 67_108_864
const REQUEST_MS = 30_000
/** In which a request that is there is answered, whatever the storage does: then 503, and its work goes on unseen. */
export const RESPONSE_TIMEOUT_MS = 10_000
const HEADERS_MS = 10_000
const KEEP_ALIVE_MS = 65_000

/** Headers that, sent twice, may not be folded or dropped without a word (node:http keeps the first). */
const ONCE = ['authorization', 'dpop', 'content-type']

export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const admission = newConcurrencyLimit()
  let isLeaving = false
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    serverFactory: (handler) =>
      createServer(SERVER, (request, response) => (admission.isFull() ? turnAway(response) : handler(request, response))),
    genReqId: () => `req_${options.random.token(12)}`,
    forceCloseConnections: 'idle',
    // What was sent before its connection was closed is answered
    return503OnClosing: false,
    routerOptions: { maxParamLength: 512 },
    exposeHeadRoutes: false,
  })
  const isProxy = newTrustedProxies(options.trustedProxies)
  app.server.maxHeadersCount = MAX_HEADERS
  const connections = newConnectionLimit(app.server, options.maxConnections)
  const readBody = newBodyReader(options.maxUnfinishedBytes)
  const unread = newMemoryBudget(options.maxUnreadBytes ?? MAX_UNREAD_BYTES)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (request: FastifyRequest) => readBody(request.raw, request.routeOptions.bodyLimit))
  app.addHook('onSend', async (_request, reply) => {
    if (isLeaving) reply.header('connection', 'close')
  })
  app.setErrorHandler(async (error: Error & { statusCode?: number; code?: string }, request, reply) => {
    const refusal = isRefusal(error) ? error : frameworkRefusal(error)
    if (refusal === undefined) logBug(options.log, request, error)
    return send(reply, render(request, refusal ?? error))
  })
  app.setNotFoundHandler(async (request, reply) => send(reply, render(request, notFound(app, request))))
  const route = (method: Route['method'][], url: string, answer: (request: HttpRequest, signal: AbortSignal) => Promise<HttpResponse>) =>
    app.route({
      method,
      url,
      bodyLimit: isOAuth(url) ? MAX_FORM_BYTES : MAX_BODY_BYTES,
      handler: async (request, reply) =>
        whileConnected(request.raw.socket, async (signal) => {
          const work = () => answer(requestOf(options.issuer, request, isProxy), signal)
          const turn = () => admission.run(() => !signal.aborted, work)
          const worked = connections.work(request.raw.socket, turn)
          const answered = await withTimeout(systemClock, options.answerMs ?? RESPONSE_TIMEOUT_MS, 'the answer', worked).catch(refuseLate)
          holdUntilRead(unread, reply.raw, request.raw.socket, answered.body?.length ?? 0)
          return send(reply, answered)
        }),
    })
  for (const { method, path, endpoint } of options.routes) route([method], path, endpoint)
  if (options.trpc) route(['GET', 'POST'], '/trpc/*', options.trpc)
  await listen(options.host, options.port, app.listen({ host: options.host, port: options.port }))
  const address = app.server.address()
  return {
    port: typeof address === 'object' && address ? address.port : options.port,
    server: app.server,
    admission,
    leave: () => {
      isLeaving = true
    },
    close: async () => {
      isLeaving = true
      const closed = app.close()
      connections.closeUnused()
      await closed
    },
    cut: () => app.server.closeAllConnections(),
  }
}

const SERVER = { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS }
const BUSY = JSON.stringify({ error: 'unavailable', error_description: 'too many requests are under way', reason: 'unavailable' })

/** As cheap as an answer can be: it is given when there is no time. */
function turnAway(response: ServerResponse): void {
  response.writeHead(503, { 'content-type': 'application/json', 'cache-control': 'no-store', 'retry-after': '1' }).end(BUSY)
}

/** The framework's own time-out ends with the body of a request. */
function refuseLate(error: unknown): never {
  throw error instanceof TimedOut ? new Refusal('unavailable', 'the answer took too long', { retryAfterSeconds: 1 }) : error
}

/** The signal aborts when the connection ends before the work does. The response's own `close` never comes where it waits behind another. */
async function whileConnected<T>(socket: Socket, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const gone = new AbortController()
  const leave = () => gone.abort()
  if (socket.destroyed) leave()
  socket.once('close', leave)
  try {
    return await work(gone.signal)
  } finally {
    socket.off('close', leave)
  }
}

/** An answer that its caller does not take holds memory, and no place among the requests; past the budget its connection is cut. */
function holdUntilRead(unread: MemoryBudget, response: ServerResponse, socket: Socket, bytes: number): void {
  // It was answered without this, as where a time has passed: its `finish` has been.
  if (response.writableEnded || socket.destroyed) return
  const held = unread.hold(() => socket.destroy())
  const leave = () => {
    response.off('finish', leave)
    socket.off('close', leave)
    held.release()
  }
  response.once('finish', leave)
  socket.once('close', leave)
  held.grow(bytes)
}

function requestOf(issuer: string, request: FastifyRequest, isProxy: (address: string) => boolean): HttpRequest {
  const mark = request.raw.url?.indexOf('?') ?? -1
  const target = request.raw.url ?? '/'
  const path = mark < 0 ? target : target.slice(0, mark)
  return {
    method: request.method,
    path,
    // Never from Host or X-Forwarded-*: a proof names the public URL.
    url: issuer + path,
    params: paramsOf(request.params),
    query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)),
    headers: headersOf(request),
    body: request.body instanceof Uint8Array ? request.body : new Uint8Array(),
    requestId: request.id,
    address: addressOf(request.raw, isProxy),
  }
}

const paramsOf = (params: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(typeof params === 'object' && params !== null ? params : {}).map(([name, value]) => [name, String(value)]),
  )

/** node:http's headers, but for those that must not be sent twice: they become an array, which nobody accepts. */
export function headersOf(request: {
  readonly headers: HttpRequest['headers']
  readonly raw?: { readonly rawHeaders: readonly string[] }
  readonly rawHeaders?: readonly string[]
}): HttpRequest['headers'] {
  const raw = request.raw?.rawHeaders ?? request.rawHeaders ?? []
  const named = new Map<string, string[]>(ONCE.map((name) => [name, []]))
  for (let i = 1; i < raw.length; i += 2) named.get(raw[i - 1]?.toLowerCase() ?? '')?.push(raw[i] ?? '')
  const twice = [...named].filter(([, values]) => values.length > 1)
  return twice.length === 0 ? request.headers : { ...request.headers, ...Object.fromEntries(twice) }
}

const isOAuth = (url: string): boolean => url.startsWith('/oauth/')

const render = ({ id }: FastifyRequest, error: unknown): HttpResponse => errorResponse(error, id)

/** What the framework refuses by itself, in our words. */
function frameworkRefusal({ statusCode, code }: { statusCode?: number; code?: string }): Refusal | undefined {
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new Refusal('body_too_large', 'the body passes 1 MB')
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return new Refusal('invalid_request', 'the request is malformed')
  return undefined
}

function notFound(app: FastifyInstance, request: FastifyRequest): Refusal {
  const [url = '/'] = request.url.split('?')
  const exists = (['GET', 'POST'] as const).some((method) => method !== request.method && app.findRoute({ method, url }) !== null)
  return exists ? new Refusal('method_not_allowed', 'not with this method') : new Refusal('not_found', 'there is nothing here')
}

function logBug(log: Log, request: FastifyRequest, error: unknown): void {
  log.error('a request failed', error, { 'request.id': request.id, 'request.path': request.routeOptions.url ?? '' })
}

async function send(reply: FastifyReply, { status, headers = {}, body }: HttpResponse): Promise<FastifyReply> {
  return reply
    .code(status)
    .headers({ 'x-content-type-options': 'nosniff', ...headers })
    .send(body)
}
