import type { AnyProcedure, AnyRouter } from '@trpc/server'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { isRefusal, REFUSALS, Refusal, refuse } from '../../errors.js'
import { readJson } from '../../lib/json.js'
import { type HttpRequest, type HttpResponse, json } from '../route.js'
import { errorShape, type TrpcContext } from './procedures.js'

interface TrpcHttpDeps {
  readonly router: AnyRouter
  readonly createContext: (request: HttpRequest) => TrpcContext
}

/** Maximum number of calls in one HTTP request or one WebSocket frame. */
export const MAX_BATCH = 10
const MAX_PATH_LENGTH = 512
const PREFIX = '/trpc'

/** Serves tRPC over HTTP. Requests pass the limits of this file before they reach the adapter of @trpc/server. */
export function trpcOverHttp({
  router,
  createContext,
}: TrpcHttpDeps): (request: HttpRequest, signal: AbortSignal) => Promise<HttpResponse> {
  return async (request, signal) => {
    try {
      requireAllowed(router, request)
    } catch (error) {
      if (error instanceof Refusal) return responseOf(error, request.requestId)
      throw error
    }
    const response = await fetchRequestHandler({
      endpoint: PREFIX,
      router,
      req: new Request(`${new URL(request.url).origin}${request.path}?${request.query}`, {
        method: request.method,
        signal,
        headers: { 'content-type': 'application/json' },
        ...(request.method === 'POST' && { body: request.body.length === 0 ? null : Buffer.from(request.body) }),
      }),
      createContext: () => createContext(request),
      responseMeta: ({ errors }) => ({ headers: retryAfterHeaders(errors.map(({ cause }) => cause)) }),
    })
    const headers = Object.fromEntries(response.headers)
    return { status: response.status, headers: { ...headers, 'cache-control': 'no-store' }, body: await response.text() }
  }
}

/** `Retry-After` (RFC 9110 §10.2.3) of a batch is the longest wait of its calls. */
function retryAfterHeaders(causes: readonly unknown[]): Headers {
  const seconds = causes.map((cause) => (isRefusal(cause) ? (cause.detail.retryAfterSeconds ?? 0) : 0))
  const longest = Math.max(0, ...seconds)
  return new Headers(longest > 0 ? { 'retry-after': String(longest) } : {})
}

/** Refuses requests that the adapter of @trpc/server would treat wrongly or that are too large. */
function requireAllowed(router: AnyRouter, { method, path, query, headers, body }: HttpRequest): void {
  if (path.length > MAX_PATH_LENGTH) refuse('not_found', 'no such procedure')
  const names = path.slice(PREFIX.length + 1).split(',')
  if (names.length > MAX_BATCH) refuse('batch_too_large', `${names.length} calls in one batch, at most ${MAX_BATCH} are allowed`)
  // Rejects names such as __proto__ and toString before they are looked up in an object
  if (!names.every((name) => /^[a-z][a-zA-Z]{0,31}\.[a-zA-Z]{1,32}$/.test(name))) refuse('not_found', 'no such procedure')
  // The response would be sent only after the subscription ended, which it never does
  if (names.some((name) => isSubscription(router, name))) refuse('method_not_allowed', 'subscriptions need a WebSocket')
  if (headers['x-http-method-override'] !== undefined) refuse('method_not_allowed', 'x-http-method-override is not supported')
  if (method === 'POST') {
    const [type = ''] = String(headers['content-type'] ?? '').split(';')
    if (type.trim().toLowerCase() !== 'application/json') refuse('unsupported_media_type', 'send application/json')
    if (body.length > 0) requireJson(body)
  }
  const input = query.get('input')
  if (input !== null) requireJson(input)
}

function isSubscription(router: AnyRouter, name: string): boolean {
  const procedures: Readonly<Record<string, AnyProcedure>> = router._def.procedures
  return procedures[name]?._def.type === 'subscription'
}

function requireJson(text: string | Uint8Array): void {
  const read = readJson(text)
  if ('fault' in read) refuse('bad_input', `invalid JSON: ${read.fault}`, { faults: [{ pointer: '', hint: read.fault }] })
}

function responseOf(refusal: Refusal, requestId: string): HttpResponse {
  return json(REFUSALS[refusal.reason].http, { error: { code: INVALID_REQUEST, ...errorShape(refusal, requestId) } })
}

/** JSON-RPC 2.0 §5.1. */
const INVALID_REQUEST = -32600
