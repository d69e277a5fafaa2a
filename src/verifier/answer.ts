import { isRefusal, REFUSALS } from '../errors.js'
import type { IncomingRequest, Needs, Verified, Verifier } from './verify-request.js'

/** How a refused call is answered. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** JSON. */
  readonly body: string
}

/** How a refused call is answered: status, headers, JSON. What is no refusal is a bug and thrown on. */
export function answerOf(error: unknown): Answer {
  if (!isRefusal(error)) throw error
  const { reason, message, detail } = error
  const status = REFUSALS[reason].http
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      // RFC 9449 §7.1, RFC 6750 §3
      ...((status === 401 || status === 403) && { 'www-authenticate': `DPoP error="${reason}", algs="ES256 EdDSA"` }),
      ...(detail.retryAfterSeconds !== undefined && { 'retry-after': String(detail.retryAfterSeconds) }),
    },
    body: JSON.stringify({ error: reason, error_description: message }),
  }
}

/** For middleware of any framework: the request may be served, or this is what to answer instead. A bug is thrown. */
export async function admit(
  verifier: Verifier,
  request: IncomingRequest,
  needs: Needs = {},
): Promise<{ readonly verified: Verified } | { readonly answer: Answer }> {
  try {
    return { verified: await verifier.verify(request, needs) }
  } catch (error) {
    return { answer: answerOf(error) }
  }
}
