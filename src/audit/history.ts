// Who ended what, when and why. The ended set forgets handles and knows no reasons; the audit log keeps them.

import type { Because } from '../protocol/end-reason.js'
import type { Handle } from '../protocol/handles.js'
import type { ClientId } from '../protocol/ids.js'
import type { AuditStore } from './store.js'

/** How something ended. Times are in epoch seconds. */
export interface EndedView extends Because {
  readonly endedAt: number
  readonly endedBy: ClientId
}

/** Returns the first ending of one of the handles, if it came before `before`. */
export type FindEnding = (handles: readonly Handle[], before?: number) => Promise<EndedView | undefined>

/** Reads each handle once, so use one reader for all objects of a response. Cost: one indexed read for each handle. */
export function newHistory({ endings, rows }: AuditStore): FindEnding {
  const read = async (handle: Handle): Promise<EndedView | undefined> => {
    const [ending] = (await endings.find('handles', { where: { handles: handle }, limit: 1 })).items
    const row = ending && (await rows.get(ending.id))
    return row && { endedAt: row.createdAt, endedBy: row.actor, reason: row.endReason ?? 'unspecified', note: row.note }
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
