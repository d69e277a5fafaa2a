import type { Audit } from '../audit/audit.js'
import { refuse } from '../errors.js'
import type { Ending, Position } from '../protocol/entry.js'
import type { Handle } from '../protocol/handles.js'
import type { EnrolmentId } from '../protocol/ids.js'
import type { Storage } from '../storage/storage.js'
import type { Caller } from '../transport/caller.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import { requireEnrolment } from './authority.js'
import type { Enrolment, EnrolmentsStore } from './store.js'

export interface EndKeyDeps {
  readonly enrolments: EnrolmentsStore
  readonly trustLog: TrustLog
  readonly audit: Audit
  readonly storage: Pick<Storage, 'commit'>
  /** What was granted by a handle since then, of all features (introductions, enrolments, child agents, tasks). */
  readonly grantedBy: (handle: Handle, since: number) => Promise<readonly Ending[]>
}

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
  const committed = await deps.storage.commit([
    deps.enrolments.collection.changing(id, { retiresAt: guard }, { retiresAt, endsAt: retiresAt + LONGEST_TOKEN }),
    auditOf(deps, caller, 'enrolments.retire', enrolment),
  ])
  return committed.ok ? { retiresAt } : refuse('conflict', 'somebody changed it meanwhile')
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

function requireStanding({ trustLog }: Pick<EndKeyDeps, 'trustLog'>, { handle }: Enrolment): void {
  if (trustLog.ended.has(handle)) refuse('already_ended', 'the key has ended')
}

const auditOf = ({ audit }: Pick<EndKeyDeps, 'audit'>, caller: Caller, action: string, enrolment: Enrolment) =>
  audit.recording({
    orgId: enrolment.orgId,
    actor: caller.id,
    action,
    outcome: 'done',
    subject: enrolment.id,
    tokenId: caller.tokenId,
  })
