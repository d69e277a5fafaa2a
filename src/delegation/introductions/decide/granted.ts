import type { Fault } from '../../../errors.js'
import { type AgentId, type IntroductionId, isResourceId, type TargetId, type TaskId } from '../../../protocol/ids.js'
import type { Bounds } from '../../../protocol/rights.js'
import { type Dependencies, stands } from '../../../protocol/standing.js'
import { type CardReliance, connectionLosses, type GrantedReliance, offerLosses } from '../../../registry/cards/reliance/reliance.js'
import type { Ended } from '../../../trust-log/trust-log.js'

/** A granted introduction as exchanges and entitlements read it. */
export interface GrantedIntroduction {
  readonly id: IntroductionId
  readonly from: AgentId
  readonly to: TargetId
  readonly bounds: Bounds
  /** An exchange under the introduction must be for this task or a child of it. */
  readonly taskId?: TaskId | undefined
  readonly reliance: GrantedReliance
  /** The policy of the target granted it, nobody approved it. */
  readonly byPolicy: boolean
  /** The first token request created it, at an open resource. */
  readonly byFirstRequest: boolean
  /** `int:`, the `ver:` of the bounds and the identities of both sides; they expire with the introduction. */
  readonly dependencies: Dependencies
}

/** The pointer of a change that says that the key was revoked. It needs no approval, but a card that another registered key has signed. */
export const SIGNATURES = '/card/signatures'

/** The parts that the introduction relied on and the card no longer has. Unless there are none, the introduction cannot be used. */
function changesFor(ended: Ended, relied: GrantedReliance, card: CardReliance | undefined): readonly Fault[] {
  if (card?.publication !== relied.publication)
    return [{ pointer: '/card', hint: 'the card was unpublished or yanked, or an unsigned card has replaced it' }]
  if (relied.version !== undefined && card.yankedVersions.includes(relied.version))
    return [{ pointer: '/card', hint: `version ${relied.version} of the card, for which the introduction was approved, was yanked` }]
  const signature = stands(ended, card.signer)
    ? []
    : [{ pointer: SIGNATURES, hint: 'the key that signed the card was revoked; publish the card signed by another' }]
  if (hasSameVersions(relied, card)) return signature
  return [...signature, ...connectionLosses(relied, card), ...offerLosses(relied, card)]
}

/** True if the card has lost nothing since the approval, so that it need not be compared: its versions carry over until then. */
export const hasSameVersions = (relied: GrantedReliance, { versions }: Pick<CardReliance, 'versions'>): boolean =>
  relied.versions.every((version) => versions.includes(version))

export interface SortDeps {
  readonly trustLog: { readonly ended: Ended }
  /** May lack what a revision of non-public parts has added. */
  readonly cachedReliance: (id: TargetId) => Promise<CardReliance | undefined>
  readonly findReliance: (id: TargetId) => Promise<CardReliance | undefined>
}

type Relying = Pick<GrantedIntroduction, 'reliance'>

/** Granted introductions to one agent, in their order. */
interface SortedIntroductions<T extends Relying> {
  readonly valid: readonly T[]
  /** They need another approval. */
  readonly affected: readonly { readonly introduction: T; readonly changes: readonly Fault[] }[]
  readonly card: CardReliance | undefined
}

/**
 * Sorts granted introductions to one target by whether what they rely on still holds. Before anything is missed in a cached card, the card is read
 * again. One to a resource always holds: what the resource offers now bounds its tokens.
 */
export async function sortByReliance<T extends Relying>(
  deps: SortDeps,
  to: TargetId,
  granted: readonly T[],
): Promise<SortedIntroductions<T>> {
  const sortedWith = (card: CardReliance | undefined): SortedIntroductions<T> => {
    const all = granted.map((introduction) => ({ introduction, changes: changesFor(deps.trustLog.ended, introduction.reliance, card) }))
    const isValid = ({ changes }: (typeof all)[number]) => changes.length === 0
    return { valid: all.filter(isValid).map(({ introduction }) => introduction), affected: all.filter((one) => !isValid(one)), card }
  }
  if (isResourceId(to)) return { valid: granted, affected: [], card: await deps.cachedReliance(to) }
  const cached = sortedWith(granted.length === 0 ? undefined : await deps.cachedReliance(to))
  return cached.affected.length === 0 ? cached : sortedWith(await deps.findReliance(to))
}
