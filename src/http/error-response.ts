import { type AccessRequest, isRefusal, REFUSALS, type Refusal } from '../errors.js'
import { challengeOf } from '../protocol/dpop.js'
import { html } from './pages/html.js'
import { type ErrorBody, type HttpResponse, json } from './route.js'

interface Responded {
  readonly requestId: string
  /** Named in the challenge of a 401. */
  readonly issuer?: string
  readonly errorBody?: ErrorBody | undefined
}

/**
 * The response for an error at every HTTP endpoint except tRPC. A bug becomes `server_error` without detail.
 *
 * @see [RFC 9449 §7.1](https://www.rfc-editor.org/rfc/rfc9449.html#section-7.1)
 */
export function errorResponse(error: unknown, { requestId, issuer, errorBody = oauthErrorBody }: Responded): HttpResponse {
  const refusal = isRefusal(error) ? error : undefined
  const reason = refusal?.reason ?? 'server_error'
  const { dpopNonce, allow } = refusal?.detail ?? {}
  const status = REFUSALS[reason].http
  // RFC 6749 §5.2: a client that did not authenticate by the Authorization header gets no challenge. Libraries that see one read no body
  const challenge =
    refusal?.detail.challenge ?? (reason === 'invalid_client' ? undefined : challengeOf({ error: reason, resource: issuer }))
  const body = errorBody(refusal, requestId)
  const headers = {
    pragma: 'no-cache',
    ...(status === 401 && challenge !== undefined && { 'www-authenticate': challenge }),
    ...(status === 405 && { allow: (allow ?? []).join(', ') }),
    ...retryHeaders(refusal),
    ...(dpopNonce !== undefined && { 'dpop-nonce': dpopNonce }),
  }
  return typeof body === 'string' ? html(status, body, headers) : json(status, body, headers)
}

/**
 * `{ error, error_description, request_id }`, with `faults` and `available` if the refusal has any.
 *
 * @see [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749.html#section-5.2)
 */
function oauthErrorBody(refusal: Refusal | undefined, requestId: string): object {
  const { faults, available, accessRequest } = refusal?.detail ?? {}
  const { reason = 'server_error', message = 'internal error' } = refusal ?? {}
  return {
    error: reason,
    error_description: message,
    ...(faults && { faults }),
    ...(available && { available }),
    ...(accessRequest && { access_request: accessRequestOf(accessRequest) }),
    request_id: requestId,
  }
}

const accessRequestOf = ({ endpoint, bindingToken, expiresAt }: AccessRequest) => ({
  endpoint,
  binding_token: bindingToken,
  expires_at: expiresAt,
})

/**
 * When to retry, and which limit was exceeded.
 *
 * @see [RFC 9110 §10.2.3](https://www.rfc-editor.org/rfc/rfc9110.html#section-10.2.3), draft-ietf-httpapi-ratelimit-headers-10 §3, §4
 */
export function retryHeaders(refusal: Refusal | undefined): Readonly<Record<string, string>> {
  const { retryAfterSeconds, rateLimit } = refusal?.detail ?? {}
  if (retryAfterSeconds === undefined) return {}
  if (!rateLimit) return { 'retry-after': String(retryAfterSeconds) }
  const { name, quota, windowSeconds } = rateLimit
  return {
    'retry-after': String(retryAfterSeconds),
    ratelimit: `"${name}";r=0;t=${retryAfterSeconds}`,
    'ratelimit-policy': `"${name}";q=${quota}${windowSeconds === undefined ? ';qu="concurrent-requests"' : `;w=${windowSeconds}`}`,
  }
}
