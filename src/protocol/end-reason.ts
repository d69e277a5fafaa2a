import { z } from 'zod'

/** The codes for why something was revoked or ended. */
export const EndReason = z.enum([
  'unspecified',
  'superseded',
  'compromised',
  'no_longer_needed',
  'policy',
  'user_request',
  'suspicious_task_pattern',
])

export const EndNote = z.string().trim().min(1).max(256)

const NOTE =
  'For the people who read the history. Kept in the audit row, also after the organisation was erased: it must not contain personal data.'

/** The input of every call that revokes or ends something. */
export const REVOCATION_INPUT = { reason: EndReason.default('unspecified'), note: EndNote.describe(NOTE).optional() }

/** Why something was revoked or ended, as its caller says. */
export interface RevocationReason {
  readonly reason: z.infer<typeof EndReason>
  /** For the people who read the history. Kept also after the organisation was erased, so it must not contain personal data. */
  readonly note?: string | undefined
}
