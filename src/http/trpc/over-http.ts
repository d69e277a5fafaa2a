import { type AnyProcedure, type AnyRouter, callTRPCProcedure, getTRPCErrorFromUnknown, getTRPCErrorShape, TRPCError } from '@trpc/server'
import { getHTTPStatusCode } from '@trpc/server/http'
import { isRefusal, REFUSALS, Refusal, refuse } from '../../errors.js'
import { isJsonObject, type JsonValue, readJson } from '../../lib/json.js'
import { countRefusal } from '../../lib/telemetry/metrics.js'
import { challengeOf } from '../../protocol/dpop.js'
import { retryHeaders } from '../error-response.js'
import { BODY_BYTES, MAX_BODY_BYTES } from '../limits/body-limit.js'
import { type HttpRequest, type HttpResponse, json } from '../route.js'
import type { HttpOptions } from '../server.js'
import { errorShape, type ProcedureMeta, type TrpcContext } from './procedures.js'

interface TrpcHttpDeps {
  readonly router: AnyRouter
  readonly createContext: (request: HttpRequest) => TrpcContext
}

interface Call {
  readonly path: string
  /** Undefined if there is no such procedure. */
  readonly type: 'query' | 'mutation' | 'subscription' | undefined
}

interface Outcome {
  readonly response: { readonly result: { readonly data: unknown } } | { readonly error: ReturnType<typeof getTRPCErrorShape> }
  readonly refusal?: Refusal | undefined
}

/** Maximum number of calls in one HTTP request or one WebSocket frame. */
export const MAX_BATCH = 10
const MAX_PATH_LENGTH = 512
const PREFIX = '/trpc'

/**
 * Serves queries and mutations to the HTTP links of @trpc/client, with the responses of `fetchRequestHandler` of @trpc/server and within the
 * limits of this file.
 */
export function trpcOverHttp({ router, createContext }: TrpcHttpDeps): NonNullable<HttpOptions['trpc']> {
  const callOf = (path: string): Call => ({ path, type: findProcedure(router, path)?._def.type })
  const serve = async (request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> => {
    const isBatch = request.query.get('batch') === '1'
    const calls = (isBatch ? namesOf(request.path) : [nameOf(request.path)]).map(callOf)
    const ctx = createContext(request)
    try {
      requireAllowed(request, calls, isBatch)
      if (request.body.length > BODY_BYTES && !(await ctx.findCaller())) refuse('invalid_token', 'a body of this size needs a root token')
      const input = inputOf(request)
      const outcomes = calls.map((call, batchIndex) => {
        const getRawInput = async () => (isBatch ? inputAt(input, batchIndex) : input)
        return outcomeOf(call, request.method, { router, ctx, signal, batchIndex, getRawInput })
      })
      return responseOf(request, isBatch, calls, await Promise.all(outcomes))
    } catch (error) {
      if (error instanceof Refusal) countRefusal(ctx.metrics, error)
      if (error instanceof Refusal) return refusedResponse(error, request, calls)
      throw error
    }
  }
  const isLarge = (name: string): boolean => findProcedure(router, name)?._def.meta?.isLarge === true
  return { serve, maxBodyBytes: (path) => (namesOf(path).some(isLarge) ? MAX_BODY_BYTES : BODY_BYTES) }
}

const nameOf = (path: string): string => path.slice(PREFIX.length + 1)
const namesOf = (path: string): readonly string[] => nameOf(path).split(',')

function findProcedure(router: AnyRouter, name: string): Procedure | undefined {
  const procedures: Readonly<Record<string, Procedure>> = router._def.procedures
  return Object.hasOwn(procedures, name) ? procedures[name] : undefined
}
type Procedure = AnyProcedure & { readonly _def: { readonly meta?: ProcedureMeta } }

/** Refuses requests that are too large, and those of links that are not supported. */
function requireAllowed(request: HttpRequest, calls: readonly Call[], isBatch: boolean): void {
  const { method, path, headers } = request
  if (path.length > MAX_PATH_LENGTH) refuse('not_found', 'no such procedure')
  if (calls.length > MAX_BATCH) refuse('batch_too_large', `${calls.length} calls in one batch, at most ${MAX_BATCH} are allowed`)
  const types = new Set(calls.flatMap(({ type }) => type ?? []))
  // The response would be sent only after the subscription ended, which it never does
  if (types.has('subscription')) refuse('method_not_allowed', 'subscriptions need a WebSocket: use wsLink in place of httpSubscriptionLink')
  if (types.size > 1) refuse('bad_input', 'a batch cannot contain both queries and mutations')
  if (isForStreamLink(request) && !isBatch) refuse('bad_input', 'application/jsonl needs a batch: use httpBatchStreamLink, or httpLink')
  if (headers['x-http-method-override'] !== undefined) refuse('method_not_allowed', 'x-http-method-override is not supported')
  if (method === 'POST') {
    const [type = ''] = String(headers['content-type'] ?? '').split(';')
    if (type.trim().toLowerCase() !== 'application/json')
      refuse('unsupported_media_type', 'send application/json: no procedure takes FormData or binary input')
  }
}

/** `httpBatchStreamLink` reads JSON lines. It names them in one of two headers, by its option `streamHeader`. */
const isForStreamLink = ({ headers }: HttpRequest): boolean =>
  String(headers['trpc-accept'] ?? headers.accept ?? '')
    .split(',')
    .some((type) => type.trim() === 'application/jsonl')

/** The input of the call, or the inputs of a batch by index. `methodOverride` of the links sends those of queries in the body too. */
function inputOf({ method, query, body }: HttpRequest): JsonValue | undefined {
  if (method === 'POST') return body.length > 0 ? requireJson(body) : undefined
  const input = query.get('input')
  return input === null ? undefined : requireJson(input)
}

/** Reads strict JSON from a body, a query or a frame of a WebSocket, or refuses. */
export function requireJson(text: string | Uint8Array): JsonValue {
  const read = readJson(text)
  return 'value' in read ? read.value : refuse('bad_input', `invalid JSON: ${read.fault}`, { faults: [{ pointer: '', hint: read.fault }] })
}

function inputAt(inputs: JsonValue | undefined, index: number): JsonValue | undefined {
  if (inputs === undefined) return undefined
  return isJsonObject(inputs) ? inputs[index] : refuse('bad_input', 'the input of a batch is an object: {"0": …, "1": …}')
}

/** Runs one call. An error has the form that the formatter in procedures.ts gives it. */
async function outcomeOf({ path, type }: Call, method: string, options: CallOptions): Promise<Outcome> {
  try {
    if (type === 'mutation' && method !== 'POST') throw new TRPCError({ code: 'METHOD_NOT_SUPPORTED' })
    // Throws NOT_FOUND if there is no such procedure. A copy of the options by spread takes microseconds on Node 20
    return { response: { result: { data: await callTRPCProcedure(Object.assign(options, { path, type: type ?? 'query' })) } } }
  } catch (cause) {
    const error = getTRPCErrorFromUnknown(cause)
    const { router, ctx } = options
    const shape = getTRPCErrorShape({ config: router._def._config, error, type: type ?? 'unknown', path, input: undefined, ctx })
    return { response: { error: shape }, refusal: isRefusal(error.cause) ? error.cause : undefined }
  }
}
type CallOptions = Omit<Parameters<typeof callTRPCProcedure>[0], 'path' | 'type'>

function responseOf(request: HttpRequest, isBatch: boolean, calls: readonly Call[], outcomes: readonly Outcome[]): HttpResponse {
  const headers = { vary: 'trpc-accept, accept', ...longestWait(outcomes) }
  const responses = outcomes.map(({ response }) => response)
  // One line with all results, in the format of `jsonlStreamProducer`: a result that is already known is [[result]]
  if (isForStreamLink(request)) {
    const line = json(200, Object.fromEntries(responses.map((response, index) => [index, [[response]]])), headers)
    return { ...line, body: `${line.body}\n` }
  }
  const status = getHTTPStatusCode(responses)
  return json(status, isBatch ? responses : responses[0], { ...headers, ...statusHeaders(request, status, calls) })
}

/** A batch is to be retried after the longest wait of its calls. It names a limit if one of its calls exceeded one. */
function longestWait(outcomes: readonly Outcome[]): Readonly<Record<string, string>> {
  const waitOf = (refusal: Refusal | undefined) => refusal?.detail.retryAfterSeconds ?? 0
  const byWait = outcomes.map(({ refusal }) => refusal).sort((a, b) => waitOf(b) - waitOf(a))
  return { ...retryHeaders(byWait.find((refusal) => refusal?.detail.rateLimit)), ...retryHeaders(byWait[0]) }
}

/** The headers that RFC 9110 §15.5.2 and §15.5.6 demand of a 401 and a 405. Subscriptions have no method over HTTP. */
function statusHeaders({ url }: HttpRequest, status: number, calls: readonly Call[]): Readonly<Record<string, string>> {
  if (status === 401) return { 'www-authenticate': challengeOf({ error: 'invalid_token', resource: new URL(url).origin }) }
  if (status !== 405) return {}
  if (calls.some(({ type }) => type === 'subscription')) return { allow: '' }
  return { allow: calls.some(({ type }) => type === 'mutation') ? 'POST' : 'GET, HEAD, POST' }
}

/** Renders a request that was refused before its calls ran. */
function refusedResponse(refusal: Refusal, request: HttpRequest, calls: readonly Call[]): HttpResponse {
  const status = REFUSALS[refusal.reason].http
  const headers = { ...retryHeaders(refusal), ...statusHeaders(request, status, calls) }
  return json(status, { error: { code: INVALID_REQUEST, ...errorShape(refusal, request.requestId) } }, headers)
}

/** JSON-RPC 2.0 §5.1. */
const INVALID_REQUEST = -32600
