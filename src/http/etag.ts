import type { HttpRequest } from './route.js'

/** True if the caller already has the representation with this ETag. RFC 9110 §13.1.2: weak comparison. */
export const matchesEtag = ({ headers }: Pick<HttpRequest, 'headers'>, etag: string): boolean =>
  String(headers['if-none-match'] ?? '')
    .split(',')
    .some((one) => one.trim().replace(/^W\//, '') === etag || one.trim() === '*')
