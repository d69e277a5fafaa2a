import { type GrantedIntroduction, pinnedPartsHold } from '../../delegation/introductions/decide/granted.js'
import type { AgentId } from '../../protocol/ids.js'
import type { PinnedParts } from '../../registry/cards/card-record.js'
import type { Ended } from '../../trust-log/trust-log.js'

export interface StepDeps {
  readonly trustLog: { readonly ended: Ended }
  readonly findGranted: (from: AgentId, to: AgentId) => Promise<readonly GrantedIntroduction[]>
  /** May be stale: it may lack a change of non-public parts that is being written. */
  readonly cachedPinnedParts: (agentId: AgentId) => Promise<PinnedParts | undefined>
  readonly findPinnedParts: (agentId: AgentId) => Promise<PinnedParts | undefined>
}

/** The permissions that allow the step from one agent to the next. There is at least one. */
interface Steps {
  /** Pinned parts of the next agent's card. */
  readonly pinnedParts: PinnedParts
  /** Newest first. */
  readonly introductions: readonly GrantedIntroduction[]
}

/**
 * Finds the introductions from one agent to another that stand and whose pinned parts hold. Undefined if there is none. If
 * the cached card shows that a pinned part has changed, the card is read again.
 */
export async function findSteps(deps: StepDeps, from: AgentId, to: AgentId): Promise<Steps | undefined> {
  const [granted, cached] = await Promise.all([deps.findGranted(from, to), deps.cachedPinnedParts(to)])
  const validWith = (pinnedParts: PinnedParts | undefined) =>
    granted.filter((introduction) => pinnedPartsHold(deps.trustLog.ended, introduction, pinnedParts))
  const pinnedParts = validWith(cached).length === granted.length ? cached : await deps.findPinnedParts(to)
  const introductions = validWith(pinnedParts)
  return pinnedParts && introductions.length > 0 ? { pinnedParts, introductions } : undefined
}
