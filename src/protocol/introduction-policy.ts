import { z } from 'zod'
import { OrgId } from './ids.js'
import { Scope } from './rights.js'

/** Who may be introduced to an agent. `open` grants at once, within its conditions; beyond them it asks. `ask`: the agent, or a member, answers. */
export const IntroductionPolicy = z.strictObject({
  mode: z.enum(['open', 'ask', 'closed']),
  /** Only these organisations (absent: all). To others an `ask` or `open` policy is closed. */
  organisations: z.array(OrgId).max(64).optional(),
  /** `open` grants at most these by itself (absent: all that the card lists). */
  scopes: z.array(Scope).max(64).optional(),
  /** How long a granted introduction lasts at most. */
  maxSeconds: z
    .int()
    .min(60)
    .max(366 * 86_400)
    .default(30 * 86_400),
})
export type IntroductionPolicy = z.infer<typeof IntroductionPolicy>
