import { admit } from './answer.js'
import type { IncomingRequest, Needs, Verified, Verifier } from './verify-request.js'

/** A request of node:http, or of a framework that extends it; `credence` is set once it is verified. */
export interface GuardedRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly originalUrl?: string | undefined
  readonly headers: IncomingRequest['headers']
  credence?: Verified
}

export interface GuardedResponse {
  writeHead(status: number, headers: Record<string, string>): { end(body: string): unknown }
}

/**
 * Middleware for Express and its kin: calls `next` for a request that may be served, and answers any other itself. With node:http alone:
 * `createServer((req, res) => protect(req, res, () => …))`.
 */
export function guard(
  verifier: Verifier,
  needs: Needs = {},
): (request: GuardedRequest, response: GuardedResponse, next: (error?: unknown) => unknown) => Promise<void> {
  return async (request, response, next) => {
    const { method = 'GET', originalUrl, url = '/', headers } = request
    let admitted: Awaited<ReturnType<typeof admit>>
    try {
      admitted = await admit(verifier, { method, url: originalUrl ?? url, headers }, needs)
    } catch (bug) {
      next(bug)
      return
    }
    if ('verified' in admitted) {
      request.credence = admitted.verified
      next()
    } else response.writeHead(admitted.answer.status, { ...admitted.answer.headers }).end(admitted.answer.body)
  }
}
