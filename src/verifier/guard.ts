import { type Admitting, admit } from './admit.js'
import type { IncomingRequest } from './incoming-request.js'
import type { Needs, Verified } from './verify-request.js'

/** A request of node:http, or of a framework that extends it; `credence` is set once it is verified. */
export interface GuardedRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly originalUrl?: string | undefined
  readonly headers: IncomingRequest['headers']
  readonly socket?: { readonly remoteAddress?: string | undefined }
  credence?: Verified
}

export interface GuardedResponse {
  writeHead(status: number, headers: Record<string, string>): { end(body: string): unknown }
}

/**
 * Middleware of Express and its kind: calls `next` for a request that may be served, and answers any other itself. The body is not touched. With
 * node:http alone: `createServer((req, res) => protect(req, res, () => …))`.
 */
export function guard(
  verifier: Admitting,
  needs: Needs = {},
): (request: GuardedRequest, response: GuardedResponse, next: () => unknown) => Promise<void> {
  return async (request, response, next) => {
    const { method = 'GET', originalUrl, url = '/', headers, socket } = request
    const { verified, answer } = await admit(verifier, { method, url: originalUrl ?? url, headers, peer: socket?.remoteAddress }, needs)
    if (answer) {
      response.writeHead(answer.status, { ...answer.headers }).end(answer.body)
      return
    }
    request.credence = verified
    next()
  }
}

/** Who calls, in a handler behind a guard that sets it on the request. */
export function credenceOf(request: object): Verified {
  const { credence } = request as { readonly credence?: Verified } // set by a guard
  if (!credence) throw new Error('a guard must run before the handler')
  return credence
}
