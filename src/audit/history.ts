// Finds who ended something, when and why. The ended set forgets handles and knows no reasons; the audit log keeps both.
import { digestOfJson } from '../credentials/jose/digest.js'
import type { Caller } from '../http/caller.js'
import type { Because } from '../protocol/end-reason.js'
import type { Handle } from '../protocol/handles.js'
import type { ClientId } from '../protocol/ids.js'
import type { AuditStore } from './store.js'

type Viewer = Pick<Caller, 'id' | 'orgId' | 'role'>

/** How something ended. `endedAt` is in epoch seconds. The other fields are for callers who may read the audit row, and for the caller who wrote it. */
export interface EndedView {
  readonly endedAt: number
  readonly endedBy?: ClientId
  readonly reason?: Because['reason'] | undefined
  readonly note?: string | undefined
}

/** Returns the earliest ending of any of the handles, if it came before `before` (epoch seconds). */
export type FindEnding = (handles: readonly Handle[], before?: number) => Promise<EndedView | undefined>

/** Returns a reader for one response to `viewer`. It reads each handle once, with two reads of the store. */
export function newHistory({ endings, rows }: AuditStore, viewer: Viewer): FindEnding {
  const read = async (handle: Handle): Promise<EndedView | undefined> => {
    const [ending] = (await endings.find('handles', { where: { handles: handle }, limit: 1 })).items
    const row = ending && (await rows.get(ending.id))
    // The hash chain covers the list of handles by this digest
    if (row === undefined || row.endsDigest !== digestOfJson(ending?.handles ?? [])) return undefined
    const { createdAt: endedAt, actor: endedBy, endReason: reason, note } = row
    return viewer.role === 'operator' || viewer.id === endedBy || row.orgIds.includes(viewer.orgId)
      ? { endedAt, endedBy, reason, note }
      : { endedAt }
  }
  const known = new Map<Handle, Promise<EndedView | undefined>>()
  return async (handles, before = Number.POSITIVE_INFINITY) => {
    const found = await Promise.all(
      handles.map((handle) => {
        const ending = known.get(handle) ?? read(handle)
        known.set(handle, ending)
        return ending
      }),
    )
    return found
      .filter((ending) => ending !== undefined)
      .filter(({ endedAt }) => endedAt < before)
      .sort((a, b) => a.endedAt - b.endedAt)[0]
  }
}
