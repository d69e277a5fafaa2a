import type { Handle } from '../../../protocol/handles.js'
import type { AgentId, IntroductionId } from '../../../protocol/ids.js'
import type { Bounds } from '../../../protocol/rights.js'
import { type Dependencies, stands } from '../../../protocol/standing.js'
import type { PinnedVersions } from '../../../registry/cards/card-record.js'
import type { Ended } from '../../../trust-log/trust-log.js'

/** A granted introduction as an exchange, or an entitlement, reads it. */
export interface Granted {
  readonly id: IntroductionId
  readonly from: AgentId
  readonly to: AgentId
  readonly bounds: Bounds
  /** The versions of what it relies on in the target's card when it was granted: see `pinnedPartsHold`. */
  readonly pinnedVersions: readonly Handle[]
  /** int:, the ver: of its bounds, and the identities of both sides; until its expiry. */
  readonly dependencies: Dependencies
}

/**
 * Whether what an introduction relies on is still so: every version is one of the target's current card and stands, and so does the key
 * that signed the card. A changed card needs consent again, however long ago it changed: an ended `ver:` is forgotten after an hour,
 * what is current is not.
 */
export function pinnedPartsHold<R extends PinnedVersions>(
  ended: Ended,
  { pinnedVersions }: Pick<Granted, 'pinnedVersions'>,
  relied: R | undefined,
): relied is R {
  if (!relied) return false
  const current = new Set(relied.versions)
  return pinnedVersions.every((ver) => current.has(ver)) && stands(ended, [...pinnedVersions, ...relied.dependencies.handles])
}
