// Finds who ended something, when and why. The ended set forgets handles and knows no reasons; the audit log keeps both.
import { digestOfJson } from '../credentials/jose/digest.js'
import type { Caller } from '../http/caller.js'
import type { RevocationReason } from '../protocol/end-reason.js'
import type { Handle } from '../protocol/handles.js'
import type { AuditStore } from './store.js'
import { type VisibleActor, visibleActor } from './visible-actor.js'

type Viewer = Pick<Caller, 'id' | 'orgId' | 'role'>

/** How something ended. `endedAt` is in epoch seconds. The other fields are for callers who may read the audit row, and for the caller who wrote it. */
export interface HistoryView {
  readonly endedAt: number
  readonly endedBy?: VisibleActor
  readonly reason?: RevocationReason['reason'] | undefined
  readonly note?: string | undefined
}

/** Returns how the first of the handles ended, if it ended before `before` (epoch seconds). */
export type FindHistory = (handles: readonly Handle[], before?: number) => Promise<HistoryView | undefined>

/** Returns a reader for one response to `viewer`. It reads each handle once, with two reads of the store. */
export function newHistory({ endedHandles, rows }: AuditStore, viewer: Viewer): FindHistory {
  const read = async (handle: Handle): Promise<HistoryView | undefined> => {
    const [ended] = (await endedHandles.find('handles', { where: { handles: handle }, limit: 1 })).items
    const row = ended && (await rows.get(ended.id))
    // The hash chain covers the list of handles by this digest
    if (row === undefined || row.endsDigest !== digestOfJson(ended?.handles ?? [])) return undefined
    const { createdAt: endedAt, endReason: reason, note } = row
    const endedBy = visibleActor(row, viewer.role === 'operator' || viewer.id === row.actor ? 'everyone' : viewer.orgId)
    return viewer.role === 'operator' || viewer.id === endedBy || row.orgIds.includes(viewer.orgId)
      ? { endedAt, endedBy, reason, note }
      : { endedAt }
  }
  const known = new Map<Handle, Promise<HistoryView | undefined>>()
  return async (handles, before = Number.POSITIVE_INFINITY) => {
    const found = await Promise.all(
      handles.map((handle) => {
        const history = known.get(handle) ?? read(handle)
        known.set(handle, history)
        return history
      }),
    )
    return found
      .filter((history) => history !== undefined)
      .filter(({ endedAt }) => endedAt < before)
      .sort((a, b) => a.endedAt - b.endedAt)[0]
  }
}
