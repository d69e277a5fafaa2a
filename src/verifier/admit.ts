import { isRefusal } from '../errors.js'
import type { IncomingRequest } from './incoming-request.js'
import type { Needs } from './needs.js'
import { type RefusalResponse, refusalResponse, SERVER_ERROR } from './refusal-response.js'
import type { Verified, Verifier, VerifyOptions } from './verify-request.js'

/** The part of a verifier that a guard calls. */
export type RequestVerifier = Pick<Verifier, 'verify' | 'watch' | 'onBug' | 'audience' | 'allowBearer'>

/** Either the verified request, or the response that refuses it. */
export type Admitted =
  | { readonly verified: Verified; readonly response?: never }
  | { readonly verified?: never; readonly response: RefusalResponse }

/**
 * Verifies a request for any guard. A bug, such as a store that fails, also becomes a response: if the guard passed the error on, a
 * framework could run a handler that ignores errors.
 */
export async function admit(
  verifier: RequestVerifier,
  request: IncomingRequest,
  needs: Needs,
  options: VerifyOptions = {},
): Promise<Admitted> {
  try {
    return { verified: await verifier.verify(request, needs, options) }
  } catch (error) {
    const { audience, allowBearer } = verifier
    const isAnonymous = request.headers.authorization === undefined
    if (isRefusal(error)) return { response: refusalResponse(error, { audience, allowBearer, scope: needs.scope, isAnonymous }) }
    verifier.onBug(error)
    return { response: SERVER_ERROR }
  }
}
