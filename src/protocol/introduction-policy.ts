import { z } from 'zod'
import { OrgId } from './ids.js'
import { Scope } from './rights.js'

/**
 * Decides who may be introduced to an agent. `open` grants a request immediately if it meets the conditions below, otherwise it asks.
 * `ask` leaves every request to the agent or a member of its organisation. `closed` refuses every request.
 */
export const IntroductionPolicy = z.strictObject({
  mode: z.enum(['open', 'ask', 'closed']),
  /** Organisations whose agents may request an introduction; absent means all. For all others the policy is closed. */
  organisations: z.array(OrgId).max(64).optional(),
  /** Scopes that `open` may grant without asking; absent means all scopes of the card. */
  scopes: z.array(Scope).max(64).optional(),
  /** Maximum lifetime of a granted introduction. */
  maxSeconds: z
    .int()
    .min(60)
    .max(366 * 86_400)
    .default(30 * 86_400),
})
export type IntroductionPolicy = z.infer<typeof IntroductionPolicy>
