import type { AnyProcedure, AnyRouter } from '@trpc/server'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { isRefusal, REFUSALS, Refusal, refuse } from '../../errors.js'
import { type JsonValue, readJson } from '../../lib/json.js'
import { dpopChallenge } from '../../protocol/dpop.js'
import { retryHeaders } from '../error-response.js'
import { BODY_BYTES, MAX_BODY_BYTES } from '../limits/body-limit.js'
import { type HttpRequest, type HttpResponse, json } from '../route.js'
import type { HttpOptions } from '../server.js'
import { errorShape, type ProcedureMeta, type TrpcContext } from './procedures.js'

interface TrpcHttpDeps {
  readonly router: AnyRouter
  readonly createContext: (request: HttpRequest) => TrpcContext
}

/** Maximum number of calls in one HTTP request or one WebSocket frame. */
export const MAX_BATCH = 10
const MAX_PATH_LENGTH = 512
const PREFIX = '/trpc'

/** Serves tRPC over HTTP. Requests pass the limits of this file before they reach the adapter of @trpc/server. */
export function trpcOverHttp({ router, createContext }: TrpcHttpDeps): NonNullable<HttpOptions['trpc']> {
  const serve = async (request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> => {
    const context = createContext(request)
    try {
      requireAllowed(router, request)
      if (request.body.length > BODY_BYTES && !(await context.findCaller()))
        refuse('invalid_token', 'a body of this size needs a root token')
      requireStrictJson(request)
    } catch (error) {
      if (error instanceof Refusal) return responseOf(error, request.requestId, typesOf(request))
      throw error
    }
    const response = await fetchRequestHandler({
      endpoint: PREFIX,
      router,
      req: new Request(`${new URL(request.url).origin}${request.path}?${request.query}`, {
        method: request.method === 'HEAD' ? 'GET' : request.method,
        signal,
        headers: { 'content-type': 'application/json', ...streamHeader(request) },
        ...(request.method === 'POST' && { body: request.body.length === 0 ? null : Buffer.from(request.body) }),
      }),
      createContext: () => context,
      // `methodOverride` of the stock links sends queries by POST, and so with a proof for POST
      allowMethodOverride: true,
      responseMeta: ({ errors }) => ({ headers: longestWait(errors.map(({ cause }) => cause)) }),
    })
    // The stream is sent as a whole
    response.headers.delete('transfer-encoding')
    const headers = Object.fromEntries(response.headers)
    const body = await response.text()
    return {
      status: response.status,
      headers: { ...headers, 'cache-control': 'no-store', ...statusHeaders(response.status, typesOf(request)) },
      body,
    }
  }
  const typesOf = ({ path }: HttpRequest) => namesOf(path).map((name) => findProcedure(router, name)?._def.type)
  const isLarge = (name: string): boolean => findProcedure(router, name)?._def.meta?.isLarge === true
  return { serve, maxBodyBytes: (path) => (namesOf(path).some(isLarge) ? MAX_BODY_BYTES : BODY_BYTES) }
}

/** The headers that RFC 9110 §15.5.2 and §15.5.6 demand of a 401 and a 405. Subscriptions have no method over HTTP. */
function statusHeaders(status: number, types: readonly (string | undefined)[]): Readonly<Record<string, string>> {
  if (status === 401) return { 'www-authenticate': dpopChallenge('invalid_token') }
  if (status !== 405) return {}
  if (types.includes('subscription')) return { allow: '' }
  return { allow: types.includes('mutation') ? 'POST' : 'GET, HEAD, POST' }
}

const namesOf = (path: string): readonly string[] => path.slice(PREFIX.length + 1).split(',')

/** A batch is to be retried after the longest wait of its calls. */
function longestWait(causes: readonly unknown[]): Headers {
  const waits = causes.filter(isRefusal).sort((a, b) => (b.detail.retryAfterSeconds ?? 0) - (a.detail.retryAfterSeconds ?? 0))
  return new Headers(retryHeaders(waits[0]))
}

/** Refuses requests that the adapter of @trpc/server would treat wrongly or that are too large. */
function requireAllowed(router: AnyRouter, { method, path, headers }: HttpRequest): void {
  if (path.length > MAX_PATH_LENGTH) refuse('not_found', 'no such procedure')
  const names = namesOf(path)
  if (names.length > MAX_BATCH) refuse('batch_too_large', `${names.length} calls in one batch, at most ${MAX_BATCH} are allowed`)
  // Rejects names such as __proto__ and toString before they are looked up in an object
  if (!names.every((name) => /^[a-z][a-zA-Z]{0,31}\.[a-zA-Z]{1,32}$/.test(name))) refuse('not_found', 'no such procedure')
  // The response would be sent only after the subscription ended, which it never does
  if (names.some((name) => isSubscription(router, name)))
    refuse('method_not_allowed', 'subscriptions need a WebSocket: use wsLink in place of httpSubscriptionLink')
  if (headers['x-http-method-override'] !== undefined) refuse('method_not_allowed', 'x-http-method-override is not supported')
  if (method === 'POST') {
    const [type = ''] = String(headers['content-type'] ?? '').split(';')
    if (type.trim().toLowerCase() !== 'application/json') refuse('unsupported_media_type', 'send application/json')
  }
}

const isSubscription = (router: AnyRouter, name: string): boolean => findProcedure(router, name)?._def.type === 'subscription'

function findProcedure(router: AnyRouter, name: string): Procedure | undefined {
  const procedures: Readonly<Record<string, Procedure>> = router._def.procedures
  return Object.hasOwn(procedures, name) ? procedures[name] : undefined
}
type Procedure = AnyProcedure & { readonly _def: { readonly meta?: ProcedureMeta } }

/** The request for a stream of results by `httpBatchStreamLink`. It is sent as a whole, in the format that the link expects. */
const streamHeader = ({ headers }: HttpRequest): Readonly<Record<string, string>> =>
  headers['trpc-accept'] === 'application/jsonl' ? { 'trpc-accept': 'application/jsonl' } : {}

function requireStrictJson({ method, query, body }: HttpRequest): void {
  if (method === 'POST' && body.length > 0) requireJson(body)
  const input = query.get('input')
  if (input !== null) requireJson(input)
}

/** Reads strict JSON from a body, a query or a frame of a WebSocket, or refuses. */
export function requireJson(text: string | Uint8Array): JsonValue {
  const read = readJson(text)
  return 'value' in read ? read.value : refuse('bad_input', `invalid JSON: ${read.fault}`, { faults: [{ pointer: '', hint: read.fault }] })
}

function responseOf(refusal: Refusal, requestId: string, types: readonly (string | undefined)[]): HttpResponse {
  const status = REFUSALS[refusal.reason].http
  const headers = { ...retryHeaders(refusal), ...statusHeaders(status, types) }
  return json(status, { error: { code: INVALID_REQUEST, ...errorShape(refusal, requestId) } }, headers)
}

/** JSON-RPC 2.0 §5.1. */
const INVALID_REQUEST = -32600
