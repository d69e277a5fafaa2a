import { admit, type RequestVerifier } from './admit.js'
import type { IncomingRequest } from './incoming-request.js'
import { type GuardNeeds, type Needs, parseNeeds } from './needs.js'
import { cutWhenInvalid, type OpenResponse } from './open-response.js'
import type { Verified, VerifyOptions } from './verify-request.js'

/** A request of node:http, or of a framework that extends it. The guard sets `credence` on a request that it accepts. */
export interface GuardedRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly originalUrl?: string | undefined
  readonly headers: IncomingRequest['headers']
  readonly socket?: { readonly remoteAddress?: string | undefined }
  credence?: Verified
}

/** A response of node:http, or of a framework that extends it. */
export interface GuardedResponse extends OpenResponse {
  writeHead(status: number, headers: Record<string, string>): { end(body: string): unknown }
}

/**
 * Middleware for Express and frameworks with the same signature. It calls `next` for a verified request and itself responds to any other
 * request. A response that is still open when the token is no longer valid is cut off. The guard does not read the body. With node:http: `createServer((req, res) => protect(req, res, () => …))`.
 */
export function guard(
  verifier: RequestVerifier,
  guardNeeds: GuardNeeds,
): (request: GuardedRequest, response: GuardedResponse, next: () => unknown) => Promise<void> {
  const needs = parseNeeds(guardNeeds, 'guard')
  return async (request, response, next) => {
    if (await admitInto(verifier, request, response, needs)) next()
  }
}

/** Verifies a request and sets `credence` on it, or responds to it and returns undefined. */
export async function admitInto(
  verifier: RequestVerifier,
  request: GuardedRequest,
  response: GuardedResponse,
  needs: Needs,
  options: VerifyOptions = {},
): Promise<Verified | undefined> {
  const { method = 'GET', originalUrl, url = '/', headers, socket } = request
  const admitted = await admit(verifier, { method, url: originalUrl ?? url, headers, peer: socket?.remoteAddress }, needs, options)
  if (admitted.response) {
    const { status, headers, body } = admitted.response
    response.writeHead(status, { ...headers }).end(body)
    return undefined
  }
  request.credence = admitted.verified
  cutWhenInvalid(verifier, admitted.verified, response)
  return admitted.verified
}

/** Returns the verified request, in a handler behind a guard that sets it on the request object. */
export function credenceOf(request: object): Verified {
  const { credence } = request as { readonly credence?: Verified } // set by a guard
  if (!credence) throw new Error('the request has not been verified: run guard(verifier, needs) before this handler')
  return credence
}
