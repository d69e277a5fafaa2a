import { isRefusal, REFUSALS } from '../errors.js'
import type { HttpAnswer } from './http.js'
import { refusalHeaders } from './problem.js'

/**
 * A refusal of an OAuth endpoint. A bug is `server_error` without detail.
 *
 * @see [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749.html#section-5.2)
 */
export function oauthErrorAnswer(error: unknown, requestId: string): HttpAnswer {
  const reason = isRefusal(error) ? error.reason : 'server_error'
  return {
    status: REFUSALS[reason].http,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      pragma: 'no-cache',
      ...(reason === 'invalid_client' && { 'www-authenticate': 'Credence realm="oauth"' }),
      ...(isRefusal(error) ? refusalHeaders(error) : {}),
    },
    body: JSON.stringify({ error: reason, error_description: isRefusal(error) ? error.message : 'internal error', request_id: requestId }),
  }
}
