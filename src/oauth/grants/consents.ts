import { type Granted, relianceHolds } from '../../delegation/introductions/decide/granted.js'
import type { AgentId } from '../../protocol/ids.js'
import type { Reliance } from '../../registry/cards/card-record.js'
import type { Ended } from '../../trust-log/trust-log.js'

export interface ConsentDeps {
  readonly trustLog: { readonly ended: Ended }
  readonly findGranted: (from: AgentId, to: AgentId) => Promise<readonly Granted[]>
  /** May lack what a change of hidden parts has begun. */
  readonly recallReliance: (agentId: AgentId) => Promise<Reliance | undefined>
  readonly findReliance: (agentId: AgentId) => Promise<Reliance | undefined>
}

/** At least one. */
export interface Consents {
  readonly reliance: Reliance
  readonly introductions: readonly Granted[]
}

/** Introductions that stand and whose reliance holds, the newest first. Where it does not hold by what is remembered of the card, the card is read. */
export async function findConsents(deps: ConsentDeps, from: AgentId, to: AgentId): Promise<Consents | undefined> {
  const [granted, known] = await Promise.all([deps.findGranted(from, to), deps.recallReliance(to)])
  const holds = (reliance: Reliance | undefined) => granted.filter((one) => relianceHolds(deps.trustLog.ended, one, reliance))
  const reliance = holds(known).length === granted.length ? known : await deps.findReliance(to)
  const introductions = holds(reliance)
  return reliance && introductions.length > 0 ? { reliance, introductions } : undefined
}
