import { type Admitting, admit } from './admit.js'
import type { IncomingRequest } from './incoming-request.js'
import type { Needs, Verified } from './verify-request.js'

/** What is touched of Fastify's request and reply. */
export interface FastifyRequestShape {
  readonly method: string
  readonly originalUrl: string
  readonly headers: IncomingRequest['headers']
  readonly raw: { readonly socket: { readonly remoteAddress?: string | undefined } }
  credence?: Verified
}
export interface FastifyReplyShape {
  code(status: number): { headers(values: Record<string, string>): { send(body: string): unknown } }
}

/** An `onRequest` hook of Fastify, for a route or for all of a plugin: it runs before the body is read. Sets `request.credence`. */
export function guardFastify(
  verifier: Admitting,
  needs: Needs = {},
): (request: FastifyRequestShape, reply: FastifyReplyShape) => Promise<unknown> {
  return async (request, reply) => {
    const { method, originalUrl: url, headers, raw } = request
    // The connection's own address: `request.ip` may come from a header.
    const { verified, answer } = await admit(verifier, { method, url, headers, peer: raw.socket.remoteAddress }, needs)
    if (answer)
      return reply
        .code(answer.status)
        .headers({ ...answer.headers })
        .send(answer.body)
    request.credence = verified
    return undefined
  }
}
