import type { Handle } from '../protocol/handles.js'
import type { AgentId, Audience } from '../protocol/ids.js'
import type { Scope } from '../protocol/rights.js'
import type { Ground } from '../protocol/standing.js'

/** What of a card is current. */
export interface Relied {
  /** Of endpoint and security, then of each skill. */
  readonly versions: readonly Handle[]
  /** The enrolment that signed the card, where one did. */
  readonly ground: Ground
}

/** What callers rely on in an agent's current card. */
export interface Reliance extends Relied {
  readonly agentId: AgentId
  readonly audience: Audience
  readonly endpoint: string
  /** The scopes that its card lists. */
  readonly scopes: readonly Scope[]
  /** One version for endpoint and security, one for each skill by its id; a version ends when that part changes. */
  readonly core: Handle
  readonly skills: Readonly<Record<string, Handle>>
}
