import { z } from 'zod'
import { OrgId } from './ids.js'
import { Scope } from './rights.js'

/**
 * Decides which requests for an introduction to an agent are granted. `open` grants a request immediately if it meets the conditions below, and
 * otherwise treats it like `ask`. `ask` leaves the decision to the agent or a member of its organisation. `closed` refuses every request.
 */
export const IntroductionPolicy = z.strictObject({
  mode: z.enum(['open', 'ask', 'closed']),
  /** Organisations whose agents may request an introduction; absent means all. For all others the policy is closed. */
  organisations: z.array(OrgId).max(64).optional(),
  /** Scopes that `open` grants immediately; absent means all scopes of the card. */
  scopes: z.array(Scope).max(64).optional(),
  /**
   * Requests for a capability, which a requester need not see in the card. `ask` (the default) leaves each to the agent or a member of its
   * organisation, whatever `mode` says; `open` treats them like other requests; with `closed` the agent is not asked.
   */
  capabilities: z.enum(['ask', 'open', 'closed']).optional(),
  /** Maximum lifetime of a granted introduction: 30 days unless set. */
  maxSeconds: z
    .int()
    .min(60)
    .max(366 * 86_400)
    .default(30 * 86_400),
})
export type IntroductionPolicy = z.infer<typeof IntroductionPolicy>
