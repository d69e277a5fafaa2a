import { admit, type RequestVerifier } from './admit.js'
import type { IncomingRequest } from './incoming-request.js'
import { type GuardNeeds, parseNeeds } from './needs.js'
import { cutWhenInvalid, type OpenResponse } from './open-response.js'
import type { Verified } from './verify-request.js'

/** The members of Fastify's request and reply that the guard uses. */
interface FastifyRequestShape {
  readonly method: string
  readonly originalUrl: string
  readonly headers: IncomingRequest['headers']
  readonly raw: { readonly socket: { readonly remoteAddress?: string | undefined } }
  credence?: Verified
}
interface FastifyReplyShape {
  readonly raw: OpenResponse
  code(status: number): { headers(values: Record<string, string>): { send(body: string): unknown } }
}

/** An `onRequest` hook for a Fastify route or plugin. It runs before the body is read and sets `request.credence`. A response that is still open when
 * the token is no longer valid is cut off. */
export function guardFastify(
  verifier: RequestVerifier,
  guardNeeds: GuardNeeds,
): (request: FastifyRequestShape, reply: FastifyReplyShape) => Promise<unknown> {
  const needs = parseNeeds(guardNeeds, 'guardFastify')
  return async (request, reply) => {
    const { method, originalUrl: url, headers, raw } = request
    // The address of the connection: `request.ip` may come from a header.
    const { verified, response } = await admit(verifier, { method, url, headers, peer: raw.socket.remoteAddress }, needs)
    if (response)
      return reply
        .code(response.status)
        .headers({ ...response.headers })
        .send(response.body)
    request.credence = verified
    cutWhenInvalid(verifier, verified, reply.raw)
    return undefined
  }
}
