import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { SKEW_SECONDS } from '../../protocol/claims.js'
import { identitiesOf } from '../../protocol/handles.js'
import type { EnrolmentId } from '../../protocol/ids.js'
import { MAX_TOKEN_SECONDS } from '../../protocol/rights.js'
import type { Page, Place } from '../../storage/storage.js'
import { requireEnrolment } from './authority.js'
import { auditOf, type EndKeyDeps, requireStanding } from './revoke.js'
import type { Enrolment } from './store.js'

/** What was never retired has no `endsAt` and stands first in the index. */
const BEFORE_ALL: Place = [0, '']
const PAGE = 100

/** Retire: no new use after the overlap; the handle ends when nothing can stand on it any more. */
export async function retireKey(
  deps: EndKeyDeps,
  caller: Caller,
  id: EnrolmentId,
  overlapSeconds = MAX_TOKEN_SECONDS,
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
    { retiresAt, endsAt: retiresAt + MAX_TOKEN_SECONDS + SKEW_SECONDS },
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
export async function endRetiredKeys({ enrolments, trustLog }: Pick<EndKeyDeps, 'enrolments' | 'trustLog'>): Promise<void> {
  const now = trustLog.now()
  for (let after: Place | undefined = BEFORE_ALL; after !== undefined; ) {
    const page: Page<Enrolment> = await enrolments.collection.find('retired', { where: {}, after, limit: PAGE })
    const due = page.items.filter(({ endsAt = Number.POSITIVE_INFINITY }) => endsAt <= now)
    if (due.length > 0)
      await trustLog.end({
        type: 'key.retired',
        ends: due.map(({ handle }) => ({ handle })),
        intent: due.map(({ id }) => enrolments.collection.changing(id, {}, { endsAt: undefined })),
      })
    after = due.length < page.items.length ? undefined : page.next
  }
}
