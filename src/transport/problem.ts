import { isRefusal, REFUSALS, type Refusal } from '../errors.js'
import { dpopChallenge } from '../protocol/dpop.js'
import type { HttpAnswer } from './http.js'

/** A refusal at an HTTP door that is neither OAuth nor tRPC: `{ error, message, faults, requestId }`. */
export function problemAnswer(error: unknown, requestId: string): HttpAnswer {
  const reason = isRefusal(error) ? error.reason : 'server_error'
  const body = {
    error: reason,
    message: isRefusal(error) ? error.message : 'internal error',
    ...(isRefusal(error) && error.detail.faults && { faults: error.detail.faults }),
    requestId,
  }
  return {
    status: REFUSALS[reason].http,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...(REFUSALS[reason].http === 401 && { 'www-authenticate': dpopChallenge(reason) }),
      ...(isRefusal(error) ? refusalHeaders(error) : {}),
    },
    body: JSON.stringify(body),
  }
}

/** `Retry-After` and `DPoP-Nonce` of a refusal that has them. */
export function refusalHeaders({ detail }: Refusal): Record<string, string> {
  return {
    ...(detail.retryAfterSeconds !== undefined && { 'retry-after': String(detail.retryAfterSeconds) }),
    ...(detail.dpopNonce !== undefined && { 'dpop-nonce': detail.dpopNonce }),
  }
}
