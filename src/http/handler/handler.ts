// Handles one request: early refusal, route, body, queue, endpoint, response. A request without a route is refused before its body is read.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isRefusal, Refusal, refuse } from '../../errors.js'
import { systemClock } from '../../lib/clock.js'
import type { Log } from '../../lib/log.js'
import { countRefusal, type Metrics, outcomeOf } from '../../lib/telemetry/metrics.js'
import { inRequestSpan, setResponse } from '../../lib/telemetry/tracing.js'
import { withSystemTimeout } from '../../lib/timeout.js'
import { preflightHeaders } from '../cors.js'
import { errorResponse } from '../error-response.js'
import { BODY_BYTES, type newBodyReader } from '../limits/body-limit.js'
import type { EnterAs, RequestQueues } from '../limits/request-queues.js'
import type { HttpRequest, HttpResponse, Route } from '../route.js'
import type { FailureLog } from './failure-log.js'
import { type Arrival, type ArrivalDeps, arrivalOf, disconnectSignal, NO_BODY, tooManyHeaders } from './request.js'
import { type SendDeps, send } from './response.js'
import type { Match, RouteTable } from './route-table.js'

interface HandlerDeps extends ArrivalDeps, SendDeps {
  readonly responseTimeoutMs: number
  readonly routesOf: RouteTable
  readonly queues: RequestQueues
  readonly readBody: ReturnType<typeof newBodyReader>
  readonly log: Log
  readonly logFailure?: FailureLog | undefined
  readonly metrics?: Metrics | undefined
}

/** The endpoint of requests without a route, in metrics and spans. */
export const NO_ENDPOINT = 'none'

export function handle(deps: HandlerDeps, raw: IncomingMessage, response: ServerResponse): Promise<void> {
  const startedMs = systemClock.monotonicMs()
  const arrival = arrivalOf(deps, raw)
  const match = deps.routesOf(arrival.path)
  const endpoint = match?.path ?? NO_ENDPOINT
  return inRequestSpan(`HTTP ${endpoint}`, raw.headers.traceparent, async (span) => {
    await respond(deps, arrival, match, response)
    const { statusCode } = response
    setResponse(span, statusCode)
    deps.metrics?.httpRequests.inc({ endpoint, outcome: outcomeOf(statusCode) })
    deps.metrics?.httpSeconds.observe({ endpoint }, (systemClock.monotonicMs() - startedMs) / 1000)
  })
}

async function respond(deps: HandlerDeps, arrival: Arrival, match: Match | undefined, response: ServerResponse): Promise<void> {
  const { path, requestId } = arrival
  const raw = response.req
  try {
    await send(deps, response, path, await responseTo(deps, arrival, match, response))
  } catch (error) {
    const fields = { 'request.id': requestId, 'request.path': match?.path ?? '' }
    countRefusal(deps.metrics, error)
    deps.logFailure?.(error, fields)
    if (!isRefusal(error)) deps.log.error('request failed', error, fields)
    else if (raw.socket.destroyed) deps.log.debug('the client closed the connection during a request', fields)
    await send(deps, response, path, errorResponse(error, { requestId, issuer: deps.issuer, errorBody: match?.routes[0]?.errorBody }))
  }
}

async function responseTo(deps: HandlerDeps, arrival: Arrival, match: Match | undefined, response: ServerResponse): Promise<HttpResponse> {
  const { method, path, requestId } = arrival
  const tooMany = tooManyHeaders(response.req, requestId)
  if (tooMany) return tooMany
  const refusal = deps.queues.refusalFor(arrival)
  if (refusal) throw refusal
  const params = paramsOf(path, match?.encodedParams)
  const route = match?.routes.find((one) => one.method === (method === 'HEAD' ? 'GET' : method))
  if (!route) return withoutRoute(deps, arrival, match?.routes ?? [])
  const body = method === 'POST' || method === 'PUT' ? await bodyOf(deps, response, route.maxBodyBytes?.(path)) : NO_BODY
  const { socket } = response.req
  const signal = disconnectSignal(socket)
  // A copy by spread takes microseconds on Node 20
  const work = (enterAs: EnterAs) => route.endpoint(Object.assign(arrival, { params, body, enterAs }), signal)
  const running = deps.connections.whileBusy(socket, () => deps.queues.run(arrival, signal, work))
  // The work is not cancelled
  return withSystemTimeout(deps.responseTimeoutMs, running, () => new Refusal('unavailable', TIMED_OUT, { retryAfterSeconds: 1 }))
}

/** Reads a body. If that fails, the client may still send more of it, so the connection is closed after the response. */
const bodyOf = ({ readBody }: HandlerDeps, response: ServerResponse, limit = BODY_BYTES): Promise<Uint8Array> =>
  readBody(response.req, limit).catch((error: unknown) => {
    response.shouldKeepAlive = false
    throw error
  })

const TIMED_OUT = 'the registry could not respond in time, retry in 1 s'
const MAX_PARAMETER_LENGTH = 512

/** Decodes the parameters. Every path must be percent-encoded UTF-8, also one without parameters. */
function paramsOf(path: string, encoded: HttpRequest['params'] = {}): HttpRequest['params'] {
  try {
    decodeURIComponent(path)
    const params = Object.entries(encoded).map(([name, value]) => [name, decodeURIComponent(value)] as const)
    if (params.every(([, value]) => value.length <= MAX_PARAMETER_LENGTH)) return Object.fromEntries(params)
  } catch (error) {
    if (!(error instanceof URIError)) throw error
  }
  return refuse('invalid_request', 'the request is malformed')
}

/** Answers a CORS preflight for the other routes of a path, and refuses any other request. */
function withoutRoute({ origins }: SendDeps, { method, path, headers: { origin } }: Arrival, routes: readonly Route[]): HttpResponse {
  const methods = routes.flatMap((route) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]))
  const isPreflight = method === 'OPTIONS' && typeof origin === 'string' && methods.length > 0
  const headers = isPreflight ? preflightHeaders(path, { origin, origins, methods }) : undefined
  if (headers) return { status: 204, headers }
  return methods.length > 0
    ? refuse('method_not_allowed', 'this endpoint does not support the HTTP method of the request', { allow: methods })
    : refuse('not_found', 'no endpoint has this path')
}
