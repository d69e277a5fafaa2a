import { isRefusal } from '../errors.js'
import type { IncomingRequest } from './incoming-request.js'
import { BROKEN, type RefusalResponse, refusalResponse } from './refusal-response.js'
import type { Needs, Verified, Verifier } from './verify-request.js'

/** What a guard asks of a verifier. */
export type Admitting = Pick<Verifier, 'verify' | 'onBug'>

/** A request is served for somebody, or it is answered. */
export type Admitted =
  | { readonly verified: Verified; readonly answer?: never }
  | { readonly verified?: never; readonly answer: RefusalResponse }

/**
 * What all guards do. A bug (a store that fails) is answered too, without detail: a guard that handed it on could reach a handler that does
 * not look at errors.
 */
export async function admit(verifier: Admitting, request: IncomingRequest, needs: Needs): Promise<Admitted> {
  try {
    return { verified: await verifier.verify(request, needs) }
  } catch (error) {
    if (isRefusal(error)) return { answer: refusalResponse(error) }
    verifier.onBug(error)
    return { answer: BROKEN }
  }
}
