import type { Audit } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { OrgId } from '../../protocol/ids.js'
import type { Storage } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { requireOrganisation } from './authority.js'
import { type GetLimitsDeps, getLimits, type LimitsView, maximumSettableBy } from './get.js'
import { LIMIT_NAMES, type PartialLimits } from './limits.js'
import type { LimitsStore } from './store.js'

export interface SetLimitsDeps extends GetLimitsDeps {
  readonly storage: Pick<Storage, 'commit'>
  readonly limitsStore: LimitsStore
  readonly audit: Audit
  readonly trustLog: Pick<TrustLog, 'requireStillStanding'>
}

interface SetLimitsInput {
  readonly organisation?: OrgId | undefined
  readonly limits: PartialLimits
}

/** Replaces all limits that the caller's role has set for the organisation; what is absent is reset. Limits have no handle, so nothing is revoked. */
export async function setLimits(deps: SetLimitsDeps, caller: Caller, input: SetLimitsInput): Promise<LimitsView> {
  const orgId = await requireOrganisation(deps, caller, input.organisation)
  const maximum = await maximumSettableBy(deps, caller, orgId)
  const set = LIMIT_NAMES.flatMap((name) => (typeof input.limits[name] === 'number' ? [[name, input.limits[name]] as const] : []))
  const faults = set
    .filter(([name, value]) => value > maximum[name])
    .map(([name]) => ({ pointer: `/limits/${name}`, hint: `at most ${maximum[name]}` }))
  if (faults.length > 0) refuse('bad_input', 'a limit exceeds the maximum of this organisation (see limits.get)', { faults })
  const values = Object.fromEntries(set)
  const change = caller.role === 'operator' ? { byOperator: values } : { byAdministrator: values }
  const stored = await deps.limitsStore.get(orgId)
  const committed = await deps.storage.commit([
    stored
      ? deps.limitsStore.changing(orgId, {}, change)
      : deps.limitsStore.inserting({ orgId, byOperator: {}, byAdministrator: {}, ...change }),
    deps.audit.recording(auditDraft(caller, 'limits.set', { otherOrgId: orgId, subject: orgId, facts: values })),
  ])
  if (!committed.ok) refuse('conflict', 'the limits were set concurrently; try again')
  deps.limits.forget(orgId)
  await deps.trustLog.requireStillStanding(caller.barrier, caller.dependencies.handles)
  return getLimits(deps, caller, orgId)
}
