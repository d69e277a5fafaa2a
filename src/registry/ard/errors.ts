import { REFUSALS } from '../../errors.js'
import type { ErrorBody } from '../../http/route.js'

/** ARD 0.91 Appendix B, and codes in its style for the statuses that it does not list. */
const CODES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  413: 'INVALID_ARGUMENT',
  415: 'INVALID_ARGUMENT',
  429: 'RATE_LIMIT_EXCEEDED',
  503: 'UNAVAILABLE',
}

/** The body of every error of the ARD endpoints: `{ errorCode, message }`. */
export const ardErrorBody: ErrorBody = (refusal) => ({
  errorCode: (refusal && CODES[REFUSALS[refusal.reason].http]) ?? 'INTERNAL_ERROR',
  message: refusal?.message ?? 'internal error',
})
