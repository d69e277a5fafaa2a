import { z } from 'zod'

/** Why something was revoked or ended. */
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

/** The input of every call that revokes or ends something. */
export const BECAUSE = { reason: EndReason.default('unspecified'), note: EndNote.optional() }

export interface Because {
  readonly reason: z.infer<typeof EndReason>
  /** For the people who read the history. */
  readonly note?: string | undefined
}
