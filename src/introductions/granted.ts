import type { Handle } from '../protocol/handles.js'
import type { AgentId, IntroductionId } from '../protocol/ids.js'
import type { Bounds } from '../protocol/rights.js'
import type { Ground } from '../protocol/standing.js'

/** A granted introduction as an exchange, or an entitlement, reads it. */
export interface Granted {
  readonly id: IntroductionId
  readonly from: AgentId
  readonly to: AgentId
  readonly bounds: Bounds
  /** The versions of what it relies on in the target's card when it was granted: if one ended, it needs consent again. */
  readonly relies: readonly Handle[]
  /** int:, the ver: of its bounds, and the identities of both sides; until its expiry. */
  readonly ground: Ground
}
