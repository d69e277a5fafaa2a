import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { isRefusal, Refusal } from '../errors.js'
import type { Log } from '../lib/log.js'
import type { Random } from '../lib/random.js'
import { newAdmission } from './admission.js'
import type { HttpAnswer, HttpRequest, Route } from './http.js'
import { oauthErrorAnswer } from './oauth-error.js'
import { problemAnswer } from './problem.js'
import { addressOf, newProxies } from './proxies.js'

export interface HttpOptions {
  readonly issuer: string
  readonly host: string
  readonly port: number
  readonly routes: readonly Route[]
  /** Answers everything under `/trpc/`. */
  readonly trpc?: (request: HttpRequest) => Promise<HttpAnswer>
  readonly trustedProxies: readonly string[]
  readonly random: Random
  readonly log: Log
}

export interface HttpServer {
  readonly port: number
  /** The node server, for upgrades. */
  readonly server: FastifyInstance['server']
  /** Takes no new connections and waits for the requests under way. */
  close(): Promise<void>
}

const MAX_BODY_BYTES = 1_048_576
const MAX_HEADER_BYTES = 16_384
const MAX_HEADERS = 100
const REQUEST_MS = 30_000
const HEADERS_MS = 10_000
const KEEP_ALIVE_MS = 65_000

/** Headers that, sent twice, may not be folded or dropped without a word (node:http keeps the first). */
const ONCE = ['authorization', 'dpop', 'content-type']

export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  let begin: RequestListener = () => undefined
  const admission = newAdmission<Exchange>({
    start: ({ request, response }) => begin(request, response),
    turnAway: ({ response }) => turnAway(response),
  })
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    serverFactory: (handler) => {
      begin = handler
      return createServer(SERVER, (request, response) => admission.come({ request, response }))
    },
    genReqId: () => `req_${options.random.token(12)}`,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 512 },
    exposeHeadRoutes: false,
  })
  const isProxy = newProxies(options.trustedProxies)
  app.server.maxHeadersCount = MAX_HEADERS
  // Counted from when its body is there: a slow sender takes nobody's place.
  app.addHook('preHandler', async (_request, reply) => {
    admission.begin()
    reply.raw.once('close', admission.end)
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.setErrorHandler(async (error: Error & { statusCode?: number; code?: string }, request, reply) => {
    const refusal = isRefusal(error) ? error : frameworkRefusal(error)
    if (refusal === undefined) logBug(options.log, request, error)
    return send(reply, render(request, refusal ?? error))
  })
  app.setNotFoundHandler(async (request, reply) => send(reply, render(request, notFound(app, request))))
  for (const { method, path, endpoint } of options.routes) {
    app.route({
      method,
      url: path,
      handler: async (request, reply) => send(reply, await endpoint(requestOf(options.issuer, request, isProxy))),
    })
  }
  const { trpc } = options
  if (trpc)
    app.route({
      method: ['GET', 'POST'],
      url: '/trpc/*',
      handler: async (request, reply) => send(reply, await trpc(requestOf(options.issuer, request, isProxy))),
    })
  await app.listen({ host: options.host, port: options.port })
  const address = app.server.address()
  return {
    port: typeof address === 'object' && address ? address.port : options.port,
    server: app.server,
    close: () => app.close(),
  }
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

const SERVER = { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS }
const BUSY = JSON.stringify({ error: 'unavailable', error_description: 'too many requests are under way', reason: 'unavailable' })

/** As cheap as an answer can be: it is given when there is no time. */
function turnAway(response: ServerResponse): void {
  response.writeHead(503, { 'content-type': 'application/json', 'cache-control': 'no-store', 'retry-after': '1' }).end(BUSY)
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

function render(request: FastifyRequest, error: unknown): HttpAnswer {
  return request.url.startsWith('/oauth/') ? oauthErrorAnswer(error, request.id) : problemAnswer(error, request.id)
}

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

async function send(reply: FastifyReply, { status, headers = {}, body }: HttpAnswer): Promise<FastifyReply> {
  return reply
    .code(status)
    .headers({ 'x-content-type-options': 'nosniff', ...headers })
    .send(body)
}
