import type { Handle } from '../protocol/handles.js'
import type { AgentId, Audience } from '../protocol/ids.js'
import type { Scope } from '../protocol/rights.js'
import type { Ground } from '../protocol/standing.js'

/** What callers rely on in an agent's current card. */
export interface Reliance {
  readonly agentId: AgentId
  readonly audience: Audience
  readonly endpoint: string
  /** The scopes that its card lists. */
  readonly scopes: readonly Scope[]
  /** One version for endpoint and security, one for each skill by its id; a version ends when that part changes. */
  readonly core: Handle
  readonly skills: Readonly<Record<string, Handle>>
  /** The enrolment that signed the card, where one did. */
  readonly ground: Ground
}
