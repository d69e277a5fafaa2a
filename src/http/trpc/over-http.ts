import type { AnyProcedure, AnyRouter } from '@trpc/server'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { isRefusal, REFUSALS, Refusal, refuse } from '../../errors.js'
import { readJson } from '../../lib/json.js'
import { type HttpRequest, type HttpResponse, json } from '../route.js'
import { refusedCall, type TrpcContext } from './procedures.js'

export interface TrpcHttpDeps {
  readonly router: AnyRouter
  readonly createContext: (request: HttpRequest) => TrpcContext
}

/** Calls that may come at once: in one request, in one frame of a WebSocket. */
export const MAX_BATCH = 10
const MAX_PATH_LENGTH = 512
const PREFIX = '/trpc'

/** tRPC over HTTP: our limits first, then the stock adapter. */
export function trpcOverHttp({
  router,
  createContext,
}: TrpcHttpDeps): (request: HttpRequest, signal: AbortSignal) => Promise<HttpResponse> {
  return async (request, signal) => {
    try {
      check(router, request)
    } catch (error) {
      if (error instanceof Refusal) return answerOf(error, request.requestId)
      throw error
    }
    const answer = await fetchRequestHandler({
      endpoint: PREFIX,
      router,
      req: new Request(`${new URL(request.url).origin}${request.path}?${request.query}`, {
        method: request.method,
        signal,
        headers: { 'content-type': 'application/json' },
        ...(request.method === 'POST' && { body: request.body.length === 0 ? null : Buffer.from(request.body) }),
      }),
      createContext: () => createContext(request),
      responseMeta: ({ errors }) => ({ headers: comeBack(errors.map(({ cause }) => cause)) }),
    })
    const headers = Object.fromEntries(answer.headers)
    return { status: answer.status, headers: { ...headers, 'cache-control': 'no-store' }, body: await answer.text() }
  }
}

/** RFC 9110 §10.2.3: of the calls of a batch the one that has to wait longest says when. */
function comeBack(causes: readonly unknown[]): Headers {
  const seconds = causes.map((cause) => (isRefusal(cause) ? (cause.detail.retryAfterSeconds ?? 0) : 0))
  const longest = Math.max(0, ...seconds)
  return new Headers(longest > 0 ? { 'retry-after': String(longest) } : {})
}

function check(router: AnyRouter, { method, path, query, headers, body }: HttpRequest): void {
  if (path.length > MAX_PATH_LENGTH) refuse('not_found', 'no such procedure')
  const names = path.slice(PREFIX.length + 1).split(',')
  if (names.length > MAX_BATCH) refuse('batch_too_large', `at most ${MAX_BATCH} calls in one batch`)
  // A path is two plain words: whatever else is known to objects is no procedure.
  if (!names.every((name) => /^[a-z][a-zA-Z]{0,31}\.[a-zA-Z]{1,32}$/.test(name))) refuse('not_found', 'no such procedure')
  // A subscription does not end, and an answer here is sent when it has ended.
  if (names.some((name) => isSubscription(router, name))) refuse('method_not_allowed', 'subscribe over a WebSocket')
  if (headers['x-http-method-override'] !== undefined) refuse('method_not_allowed', 'the method is not overridden')
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
  if ('fault' in read) refuse('bad_input', `the JSON is refused: ${read.fault}`, { faults: [{ pointer: '', hint: read.fault }] })
}

function answerOf(refusal: Refusal, requestId: string): HttpResponse {
  return json(REFUSALS[refusal.reason].http, { error: { code: INVALID_REQUEST, ...refusedCall(refusal, requestId) } })
}

/** JSON-RPC 2.0 §5.1. */
const INVALID_REQUEST = -32600
