import { refuse } from '../errors.js'
import { identitiesOf } from '../protocol/handles.js'
import type { EnrolmentId } from '../protocol/ids.js'
import type { Caller } from '../transport/caller.js'
import { requireEnrolment } from './authority.js'
import { auditOf, type EndKeyDeps, requireStanding } from './end.js'

/** Nothing that stands on a key lives longer than an access token. */
const LONGEST_TOKEN = 3600

/** Retire: no new use after the overlap; the handle ends when nothing can stand on it any more. */
export async function retireKey(
  deps: EndKeyDeps,
  caller: Caller,
  id: EnrolmentId,
  overlapSeconds = LONGEST_TOKEN,
): Promise<{ retiresAt: number }> {
  const { now } = await deps.trustLog.fence()
  const enrolment = await requireEnrolment(deps, caller, id)
  requireStanding(deps, enrolment)
  const retiresAt = Math.min(now + overlapSeconds, enrolment.retiresAt ?? Number.POSITIVE_INFINITY)
  const guard = enrolment.retiresAt === undefined ? null : enrolment.retiresAt
  // Nothing ends yet, but all who keep the key in memory learn of it: the log says that something has changed.
  const { outcome } = await deps.enrolments.change(
    id,
    { retiresAt: guard },
    { retiresAt, endsAt: retiresAt + LONGEST_TOKEN },
    {
      type: 'record.changed',
      begins: [],
      on: [enrolment.handle, ...identitiesOf(caller.ground.on)],
      also: [auditOf(deps, caller, 'enrolments.retire', enrolment)],
    },
  )
  return outcome === 'begun' ? { retiresAt } : refuse('conflict', 'somebody changed it, or ended what it stands on, meanwhile')
}

/** Ends what was retired long enough ago; called on a timer. */
export async function endRetiredKeys(deps: Pick<EndKeyDeps, 'enrolments' | 'trustLog'>): Promise<void> {
  const now = deps.trustLog.now()
  const { items } = await deps.enrolments.collection.find('retired', { where: {}, limit: 100 })
  for (const { id, handle, endsAt } of items) {
    if (endsAt === undefined || endsAt > now) continue
    await deps.trustLog.end({
      type: 'key.retired',
      ends: [{ handle }],
      intent: [deps.enrolments.collection.changing(id, {}, { endsAt: undefined })],
    })
  }
}
