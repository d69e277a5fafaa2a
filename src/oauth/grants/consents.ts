import { type Granted, pinnedPartsHold } from '../../delegation/introductions/decide/granted.js'
import type { AgentId } from '../../protocol/ids.js'
import type { PinnedParts } from '../../registry/cards/card-record.js'
import type { Ended } from '../../trust-log/trust-log.js'

export interface ConsentDeps {
  readonly trustLog: { readonly ended: Ended }
  readonly findGranted: (from: AgentId, to: AgentId) => Promise<readonly Granted[]>
  /** May lack what a change of hidden parts has begun. */
  readonly recallReliance: (agentId: AgentId) => Promise<PinnedParts | undefined>
  readonly findPinnedParts: (agentId: AgentId) => Promise<PinnedParts | undefined>
}

/** At least one. */
export interface Consents {
  readonly reliance: PinnedParts
  readonly introductions: readonly Granted[]
}

/** Introductions that stand and whose reliance holds, the newest first. Where it does not hold by what is remembered of the card, the card is read. */
export async function findConsents(deps: ConsentDeps, from: AgentId, to: AgentId): Promise<Consents | undefined> {
  const [granted, known] = await Promise.all([deps.findGranted(from, to), deps.recallReliance(to)])
  const holds = (reliance: PinnedParts | undefined) => granted.filter((one) => pinnedPartsHold(deps.trustLog.ended, one, reliance))
  const reliance = holds(known).length === granted.length ? known : await deps.findPinnedParts(to)
  const introductions = holds(reliance)
  return reliance && introductions.length > 0 ? { reliance, introductions } : undefined
}
