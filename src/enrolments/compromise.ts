import type { Position } from '../protocol/entry.js'
import type { Handle } from '../protocol/handles.js'
import type { EnrolmentId } from '../protocol/ids.js'
import type { Caller } from '../transport/caller.js'
import { requireEnrolment } from './authority.js'
import { auditOf, type EndKeyDeps } from './end.js'

/** Compromised since: ends the key together with all that it granted since, in one block. */
export async function compromiseKey(
  deps: EndKeyDeps,
  caller: Caller,
  id: EnrolmentId,
  since: number,
): Promise<{ position: Position; ended: number }> {
  await deps.trustLog.fence()
  const enrolment = await requireEnrolment(deps, caller, id)
  const ended = new Set<Handle>()
  for (let position: Position | undefined; ; ) {
    const granted = await deps.grantedBy(enrolment.handle, since)
    const fresh = [{ handle: enrolment.handle }, ...granted].filter(({ handle }) => !ended.has(handle) && !deps.trustLog.ended.has(handle))
    // Listed again after the ending: what was granted while it was being written is found then, and nothing can follow it.
    if (position !== undefined && fresh.length === 0) return { position, ended: ended.size }
    for (const { handle } of fresh) ended.add(handle)
    const intent = position === undefined ? [auditOf(deps, caller, 'enrolments.compromise', enrolment)] : []
    position = (await deps.trustLog.end({ type: 'key.compromised', ends: fresh, intent })).position
  }
}
