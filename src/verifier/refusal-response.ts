import { isRefusal, REFUSALS } from '../errors.js'
import { challengeOf } from '../protocol/dpop.js'

/** The complete HTTP response to a refused request. */
export interface RefusalResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const JSON_HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' }

/** What the challenge of a response says about the refused request. */
interface RefusedRequest {
  /** The audience of the server. Its metadata (RFC 9728) say where a client gets a token. */
  readonly audience?: string | undefined
  /** True if the server accepts bearer tokens. */
  readonly allowBearer?: boolean | undefined
  /** The scope that the request needs. */
  readonly scope?: string | undefined
  /** True if the request has no `Authorization` header: the challenge then names no error (RFC 6750 §3.1). */
  readonly isAnonymous?: boolean | undefined
}

/** Makes the response to a refusal that `verify` has thrown. Any other error is a bug and is thrown again. */
export function refusalResponse(
  error: unknown,
  { audience, allowBearer, scope, isAnonymous = false }: RefusedRequest = {},
): RefusalResponse {
  if (!isRefusal(error)) throw error
  const { reason, message, detail } = error
  const status = reason === 'insufficient_budget' ? 403 : REFUSALS[reason].http
  return {
    status,
    headers: {
      ...JSON_HEADERS,
      // RFC 9449 §7.1, RFC 6750 §3
      ...((status === 401 || status === 403) && {
        'www-authenticate': challengeOf({
          error: isAnonymous ? undefined : reason,
          resource: audience,
          allowBearer,
          scopes: detail.scopes ?? (scope === undefined ? [] : [scope]),
        }),
      }),
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
