import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { systemClock } from '../../lib/clock.js'
import { corsHeaders } from '../cors.js'
import type { ConnectionLimit } from '../limits/connection-limit.js'
import type { MemoryBudget } from '../limits/memory-budget.js'
import type { RequestQueues } from '../limits/request-queues.js'
import type { HttpResponse } from '../route.js'
import { disconnectSignal } from './request.js'

export interface SendDeps {
  readonly origins: readonly string[]
  readonly queues: Pick<RequestQueues, 'hold'>
  readonly connections: Pick<ConnectionLimit, 'whileBusy'>
  /** Memory of the responses that their callers have not read yet. */
  readonly unread: MemoryBudget
  isDraining(): boolean
}

/** Sends the response to a request for `path`. A caller past a rate waits for it. While the server drains, the connection is closed after it. */
export async function send(
  deps: SendDeps,
  response: ServerResponse,
  path: string,
  { status, headers, cookies, body = '' }: HttpResponse,
): Promise<void> {
  const { socket, headers: received } = response.req
  // Also a batch of which only some calls are past a rate
  const isPastRate = status === 429 || headers?.ratelimit !== undefined
  const wasHeld = !isPastRate || (await deps.connections.whileBusy(socket, () => deps.queues.hold(disconnectSignal(socket))))
  if (!wasHeld || deps.isDraining()) response.shouldKeepAlive = false
  const cors = corsHeaders(path, received.origin, deps.origins)
  response
    .writeHead(status, {
      'x-content-type-options': 'nosniff',
      ...headers,
      ...cors,
      ...(cookies && { 'set-cookie': [...cookies] }),
      ...(headers?.vary !== undefined && cors.vary !== undefined && { vary: `${headers.vary}, ${cors.vary}` }),
      ...(headers?.['content-type'] === 'application/json' && { 'content-type': 'application/json; charset=utf-8' }),
      // RFC 9110 §8.6: not with 204; a 304 would have to name the length of the 200
      ...(status !== 204 && status !== 304 && { 'content-length': Buffer.byteLength(body) }),
    })
    .end(body)
  // The system takes most responses at once, and then there is nothing to reserve
  if (response.writableLength > 0 && !socket.destroyed) reserveUntilRead(deps.unread, response)
}

/** Reserves the memory of a response until its caller has read it. A slow reader holds no slot, but past the budget its connection is closed. */
function reserveUntilRead(unread: MemoryBudget, response: ServerResponse): void {
  const { socket } = response.req
  const reservation = unread.reserve(() => socket.destroy())
  const release = () => {
    response.off('finish', release)
    socket.off('close', release)
    reservation.release()
  }
  response.once('finish', release)
  socket.once('close', release)
  reservation.grow(response.writableLength)
}

/** A peer that does not read the response is disconnected after this time. No time-out of node:http applies to such a socket. */
const MAX_UNREAD_MS = 5000

/** Writes a response to a socket that has no ServerResponse, and closes the socket. */
export function sendOnSocket(socket: Duplex, { status, headers = {}, body = '' }: HttpResponse): void {
  if (socket.destroyed) return
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}`,
    ...Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' }).map(
      ([name, value]) => `${name}: ${value}`,
    ),
  ]
  // Closes both directions: a half-open socket would stay until the peer closes it, and no limit counts it
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
  void systemClock.after(MAX_UNREAD_MS, disconnectSignal(socket)).then(() => socket.destroy())
}
