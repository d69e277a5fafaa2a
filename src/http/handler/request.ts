import { setMaxListeners } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { Refusal } from '../../errors.js'
import type { Random } from '../../lib/random.js'
import { errorResponse } from '../error-response.js'
import type { HttpRequest, HttpResponse } from '../route.js'
import { clientAddressOf } from '../trusted-proxies.js'

/** A request before its body is read. */
export type Arrival = Omit<HttpRequest, 'params' | 'body' | 'enterAs'>

export interface ArrivalDeps {
  readonly issuer: string
  readonly random: Random
  isProxy(address: string): boolean
}

export function arrivalOf({ issuer, random, isProxy }: ArrivalDeps, raw: IncomingMessage): Arrival {
  const { method = 'GET', url = '/' } = raw
  // A URL as target counts by its path and query (RFC 9112 §3.2.2)
  const target = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?#]+\/?/i, '/')
  const queryAt = target.indexOf('?')
  const path = withoutNeedlessEscapes(queryAt < 0 ? target : target.slice(0, queryAt))
  return {
    method,
    path,
    // A proof names the public URL, so Host and X-Forwarded-* must not influence this value
    url: issuer + path,
    query: queryAt < 0 ? NO_QUERY : new URLSearchParams(target.slice(queryAt + 1)),
    headers: headersOf(raw),
    requestId: newRequestId(random),
    address: clientAddressOf(raw, isProxy),
  }
}

export const newRequestId = (random: Random): string => `req_${random.token(12)}`

/** Shared by all requests without a query, because a new one is slow compared with the rest of a request. */
const NO_QUERY = new URLSearchParams()
export const NO_BODY = new Uint8Array()

/**
 * The refusal of a request with too many headers. node:http would silently drop those past its own limit, and among them the address that a
 * proxy appended.
 */
const MAX_HEADERS = 100
export const tooManyHeaders = ({ rawHeaders }: IncomingMessage, requestId: string): HttpResponse | undefined =>
  rawHeaders.length > 2 * MAX_HEADERS
    ? { ...errorResponse(new Refusal('invalid_request', `more than ${MAX_HEADERS} headers`), { requestId }), status: 431 }
    : undefined

/**
 * Letters that need no percent-encoding are decoded, so that a path has one spelling (RFC 3986 §6.2.2.2). A malformed path stays as it is:
 * the decoded letters of `%%34%31` would form an escape of their own.
 */
const withoutNeedlessEscapes = (path: string): string =>
  MALFORMED_ESCAPE.test(path) ? path : path.replace(NEEDLESS_ESCAPE, (escaped) => decodeURIComponent(escaped))
const MALFORMED_ESCAPE = /%(?![0-9a-f]{2})/i
const NEEDLESS_ESCAPE = /%(?:4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9ae]|3\d|2[de]|5f)/gi

/** Headers that must not be sent twice. node:http would silently keep the first. */
const SINGLE_HEADERS = ['authorization', 'dpop', 'content-type']

/** The headers as node:http reports them. A repeated header of SINGLE_HEADERS becomes an array, which every endpoint rejects. */
function headersOf({ headers, rawHeaders }: IncomingMessage): HttpRequest['headers'] {
  // Names and values alternate in rawHeaders: with a name for each value, no header was sent twice
  if (rawHeaders.length === 2 * Object.keys(headers).length) return headers
  const valuesOf = (name: string) => rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name)
  const repeated = SINGLE_HEADERS.map((name) => [name, valuesOf(name)] as const).filter(([, values]) => values.length > 1)
  return { ...headers, ...Object.fromEntries(repeated) }
}

const signals = new WeakMap<Duplex, AbortSignal>()

/**
 * A signal that aborts when the connection closes: one for all its requests, because a controller per request is slow. It listens to the
 * socket, because a response that is queued behind another one of the same connection never emits `close`.
 */
export function disconnectSignal(socket: Duplex): AbortSignal {
  const known = signals.get(socket)
  if (known) return known
  const disconnected = new AbortController()
  // Every pipelined request may add listeners
  setMaxListeners(0, disconnected.signal)
  if (socket.destroyed) disconnected.abort()
  socket.once('close', () => disconnected.abort())
  signals.set(socket, disconnected.signal)
  return disconnected.signal
}
