import type { Handle } from '../../../protocol/handles.js'
import type { AgentId, IntroductionId, TaskId } from '../../../protocol/ids.js'
import type { Bounds } from '../../../protocol/rights.js'
import { type Dependencies, stands } from '../../../protocol/standing.js'
import type { PinnedVersions } from '../../../registry/cards/card-record.js'
import type { Ended } from '../../../trust-log/trust-log.js'

/** A granted introduction as exchanges and entitlements read it. */
export interface GrantedIntroduction {
  readonly id: IntroductionId
  readonly from: AgentId
  readonly to: AgentId
  readonly bounds: Bounds
  /** An exchange under the introduction must be for this task or a child of it. */
  readonly taskId?: TaskId | undefined
  /** Versions of the pinned parts of the target's card at the time of the grant; see `pinnedPartsHold`. */
  readonly pinnedVersions: readonly Handle[]
  /** `int:`, the `ver:` of the bounds and the identities of both sides; they expire with the introduction. */
  readonly dependencies: Dependencies
}

/**
 * True if every pinned version is a version of the target's current card and stands, and the key that signed the card stands. If a pinned
 * part has changed, the introduction needs a new approval. Comparing with the current card is necessary because the ended set forgets a
 * `ver:` handle after an hour.
 */
export function pinnedPartsHold<R extends PinnedVersions>(
  ended: Ended,
  { pinnedVersions }: Pick<GrantedIntroduction, 'pinnedVersions'>,
  current: R | undefined,
): current is R {
  if (!current) return false
  const currentVersions = new Set(current.versions)
  return (
    pinnedVersions.every((version) => currentVersions.has(version)) && stands(ended, [...pinnedVersions, ...current.dependencies.handles])
  )
}
