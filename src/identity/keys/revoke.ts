import type { Audit } from '../../audit/audit.js'
import { doneBy } from '../../audit/audit-row.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { Handle } from '../../protocol/handles.js'
import type { EnrolmentId } from '../../protocol/ids.js'
import type { Ending, Position } from '../../protocol/log/entry.js'
import type { Storage } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { requireEnrolment } from './authority.js'
import type { Enrolment, EnrolmentsStore } from './store.js'

export interface EndKeyDeps {
  readonly enrolments: EnrolmentsStore
  readonly trustLog: TrustLog
  readonly audit: Audit
  readonly storage: Pick<Storage, 'commit'>
  /** What was granted by a handle since then, of all features: organisations, members, enrolments, agents, tasks, introductions. */
  readonly grantedBy: (handle: Handle, since: number) => Promise<readonly Ending[]>
}

/** End: now. */
export async function endKey(deps: EndKeyDeps, caller: Caller, id: EnrolmentId): Promise<{ position: Position }> {
  await deps.trustLog.fence()
  const enrolment = await requireEnrolment(deps, caller, id)
  requireStanding(deps, enrolment)
  return deps.trustLog.end({
    type: 'key.ended',
    ends: [{ handle: enrolment.handle }],
    intent: [auditOf(deps, caller, 'enrolments.end', enrolment)],
  })
}

export function requireStanding({ trustLog }: Pick<EndKeyDeps, 'trustLog'>, { handle }: Enrolment): void {
  if (trustLog.ended.has(handle)) refuse('already_ended', 'the key has ended')
}

export const auditOf = ({ audit }: Pick<EndKeyDeps, 'audit'>, caller: Caller, action: string, enrolment: Enrolment) =>
  audit.recording(doneBy(caller, action, { orgId: enrolment.orgId, subject: enrolment.id }))
