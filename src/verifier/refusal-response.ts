import { isRefusal, REFUSALS } from '../errors.js'
import { dpopChallenge } from '../protocol/dpop.js'

/** A whole answer to a request that is not served. */
export interface RefusalResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const JSON_HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' }

/** How a refused call is answered: status, headers, JSON. What is no refusal is a bug and thrown on. */
export function refusalResponse(error: unknown): RefusalResponse {
  if (!isRefusal(error)) throw error
  const { reason, message, detail } = error
  const status = REFUSALS[reason].http
  return {
    status,
    headers: {
      ...JSON_HEADERS,
      // RFC 9449 §7.1, RFC 6750 §3
      ...((status === 401 || status === 403) && { 'www-authenticate': dpopChallenge(reason) }),
      ...(detail.retryAfterSeconds !== undefined && { 'retry-after': String(detail.retryAfterSeconds) }),
    },
    body: JSON.stringify({ error: reason, error_description: message }),
  }
}

/** What a caller is told of a bug. */
export const BROKEN: RefusalResponse = {
  status: 500,
  headers: JSON_HEADERS,
  body: JSON.stringify({ error: 'server_error', error_description: 'the call could not be checked' }),
}
