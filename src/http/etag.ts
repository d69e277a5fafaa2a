import { digestOfText } from '../credentials/jose/digest.js'
import { type HttpRequest, type HttpResponse, jsonText } from './route.js'

/** A public document, which caches may keep for `maxAge` seconds. */
export function publicDocument(
  request: HttpRequest,
  value: object,
  { maxAge, contentType = 'application/json' }: { readonly maxAge: number; readonly contentType?: string },
): HttpResponse {
  const body = JSON.stringify(value)
  const headers = { etag: `"${digestOfText(body)}"`, 'cache-control': `public, max-age=${maxAge}` }
  return matchesEtag(request, headers.etag) ? { status: 304, headers } : jsonText(200, body, { ...headers, 'content-type': contentType })
}

/** True if the caller already has the representation with this ETag. RFC 9110 §13.1.2: weak comparison. */
export const matchesEtag = ({ headers }: Pick<HttpRequest, 'headers'>, etag: string): boolean =>
  String(headers['if-none-match'] ?? '')
    .split(',')
    .some((one) => one.trim().replace(/^W\//, '') === etag || one.trim() === '*')
