import { isRefusal, REFUSALS } from '../errors.js'
import { dpopChallenge } from '../protocol/dpop.js'
import { type HttpResponse, json } from './route.js'

/**
 * The response for an error at every HTTP endpoint except tRPC: `{ error, error_description, request_id }`, with `faults` if the refusal
 * has any. A bug becomes `server_error` without detail.
 *
 * @see [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749.html#section-5.2), [RFC 9449 §7.1](https://www.rfc-editor.org/rfc/rfc9449.html#section-7.1)
 */
export function errorResponse(error: unknown, requestId: string): HttpResponse {
  const refusal = isRefusal(error) ? error : undefined
  const reason = refusal?.reason ?? 'server_error'
  const { faults, retryAfterSeconds, dpopNonce } = refusal?.detail ?? {}
  const status = REFUSALS[reason].http
  const challenge = reason === 'invalid_client' ? 'Credence realm="oauth"' : dpopChallenge(reason)
  return json(
    status,
    { error: reason, error_description: refusal?.message ?? 'internal error', ...(faults && { faults }), request_id: requestId },
    {
      pragma: 'no-cache',
      ...(status === 401 && { 'www-authenticate': challenge }),
      ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
      ...(dpopNonce !== undefined && { 'dpop-nonce': dpopNonce }),
    },
  )
}
