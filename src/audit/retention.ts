import { refuse } from '../errors.js'
import { type Caller, isAdminOf } from '../http/caller.js'
import type { OrgId } from '../protocol/ids.js'
import type { Storage } from '../storage/storage.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import type { Audit } from './audit.js'
import { auditDraft } from './audit-draft.js'
import type { AuditRetention, AuditStore } from './store.js'

/** No organisation keeps its rows for less. */
const MIN_DAYS = 30
export const MAX_DAYS = 36_500
const DAY_SECONDS = 86_400

export interface RetentionView {
  readonly orgId: OrgId
  /** Null: the rows are kept for ever. */
  readonly days: number | null
  /** The least that the organisation may set. */
  readonly minimumDays: number
}

interface SetRetentionInput {
  readonly days?: number | null | undefined
  readonly minimumDays?: number | null | undefined
}

interface SetRetentionDeps {
  readonly audit: Audit & { readonly store: AuditStore }
  readonly storage: Pick<Storage, 'commit'>
  readonly trustLog: Pick<TrustLog, 'requireStillStanding'>
}

export async function getRetention({ retention }: Pick<AuditStore, 'retention'>, orgId: OrgId): Promise<RetentionView> {
  const stored = await retention.get(orgId)
  return { orgId, days: daysOf(stored) ?? null, minimumDays: minimumOf(stored) }
}

/** Sets how long the rows of an organisation are kept. Its administrators set `days`, operators `minimumDays`; null removes the value. */
export async function setRetention(
  deps: SetRetentionDeps,
  caller: Caller,
  orgId: OrgId,
  { days, minimumDays }: SetRetentionInput,
): Promise<RetentionView> {
  const { retention } = deps.audit.store
  if (days !== undefined && !isAdminOf(caller, orgId))
    refuse('forbidden', 'only administrators of the organisation set how long its rows are kept; operators set minimumDays')
  if (minimumDays !== undefined && caller.role !== 'operator') refuse('forbidden', 'only operators set minimumDays')
  const stored = await retention.get(orgId)
  const minimum = minimumDays === undefined ? minimumOf(stored) : Math.max(MIN_DAYS, minimumDays ?? 0)
  if (typeof days === 'number' && days < minimum)
    refuse('bad_input', `days: the rows of this organisation are kept for at least ${minimum} days`, {
      faults: [{ pointer: '/days', hint: `at least ${minimum}` }],
    })
  const change = {
    // From the beginning again: rows that another organisation kept may be past its retention now
    ...(days !== undefined && { days: days ?? undefined, setBy: caller.id, position: undefined }),
    ...(minimumDays !== undefined && { minimumDays: minimumDays ?? undefined }),
  }
  const facts = Object.fromEntries(
    Object.entries({ days, minimumDays }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value ?? 'none']])),
  )
  const { ok } = await deps.storage.commit([
    stored ? retention.changing(orgId, {}, change) : retention.inserting({ orgId, ...change }),
    deps.audit.recording(auditDraft(caller, 'audit.setRetention', { otherOrgId: orgId, subject: orgId, facts })),
  ])
  if (!ok) refuse('conflict', 'the retention was set concurrently; try again')
  await deps.trustLog.requireStillStanding(caller.barrier, caller.dependencies.handles)
  return getRetention(deps.audit.store, orgId)
}

/** Epoch seconds: the rows before are removed. A midnight (UTC), so that rows are removed once a day. Undefined: all rows are kept. */
export function cutoffOf(retention: AuditRetention, now: number): number | undefined {
  const days = daysOf(retention)
  return days === undefined ? undefined : (Math.floor(now / DAY_SECONDS) - days) * DAY_SECONDS
}

const minimumOf = (stored: AuditRetention | undefined): number => Math.max(MIN_DAYS, stored?.minimumDays ?? 0)

const daysOf = (stored: AuditRetention | undefined): number | undefined =>
  stored?.days === undefined ? undefined : Math.max(stored.days, minimumOf(stored))
