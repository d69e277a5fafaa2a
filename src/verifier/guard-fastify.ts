import { admit } from './answer.js'
import type { IncomingRequest, Needs, Verified, Verifier } from './verify-request.js'

/** A request of Fastify, as far as it is touched here; `credence` is set once it is verified. */
export interface FastifyRequestShape {
  readonly raw: { readonly method?: string | undefined; readonly url?: string | undefined; readonly headers: IncomingRequest['headers'] }
  credence?: Verified
}

export interface FastifyReplyShape {
  code(status: number): { headers(headers: Record<string, string>): { send(body: string): unknown } }
}

/** An `onRequest` hook for Fastify: it runs before the body is read, and answers what may not be served. */
export const guardFastify =
  (verifier: Verifier, needs: Needs = {}) =>
  async (request: FastifyRequestShape, reply: FastifyReplyShape): Promise<unknown> => {
    const { method = 'GET', url = '/', headers } = request.raw
    const admitted = await admit(verifier, { method, url, headers }, needs)
    if ('answer' in admitted)
      return reply
        .code(admitted.answer.status)
        .headers({ ...admitted.answer.headers })
        .send(admitted.answer.body)
    request.credence = admitted.verified
    return undefined
  }
