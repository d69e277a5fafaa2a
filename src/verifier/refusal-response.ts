import { isRefusal, REFUSALS } from '../errors.js'
import { dpopChallenge } from '../protocol/dpop.js'

/** The complete HTTP response to a refused request. */
export interface RefusalResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const JSON_HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' }

/** Makes the response to a refusal that `verify` has thrown. Any other error is a bug and is thrown again. */
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

/** The response to a request whose verification failed because of a bug. It gives the caller no detail. */
export const SERVER_ERROR: RefusalResponse = {
  status: 500,
  headers: JSON_HEADERS,
  body: JSON.stringify({ error: 'server_error', error_description: 'the request could not be verified because of an internal error' }),
}
