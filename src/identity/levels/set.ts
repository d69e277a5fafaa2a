import type { Audit } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import { type Caller, isAdminOf } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import { identitiesOf, newHandle } from '../../protocol/handles.js'
import type { OrgId } from '../../protocol/ids.js'
import type { Committed, TrustLog } from '../../trust-log/trust-log.js'
import { type CeilingInput, ceilingOf } from '../agents/agent.js'
import type { CountedCommit } from '../limits/quota.js'
import type { OrganisationsStore } from '../organisations/store.js'
import { type FindLevelDeps, findLevel } from './find.js'
import type { LevelView } from './list.js'

export interface LevelsDeps extends FindLevelDeps {
  readonly organisations: OrganisationsStore
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
  readonly issuer: string
  /** Commits a level that counts for its organisation. */
  readonly commitLevel: (orgId: OrgId, commit: CountedCommit) => Promise<Committed>
}

/** An operator, or an administrator of the organisation. */
export function requireMayChange(caller: Caller, orgId: OrgId): void {
  if (caller.role !== 'operator' && !isAdminOf(caller, orgId)) refuse('not_found', 'no such organisation')
}

/** Creates a scope level, or replaces its ceiling. A new ceiling ends the tokens of every agent that uses the level, also if it is wider. */
export async function setLevel(
  deps: LevelsDeps,
  caller: Caller,
  {
    orgId = caller.orgId,
    name,
    ceiling: input,
  }: { readonly orgId?: OrgId | undefined; readonly name: string; readonly ceiling: CeilingInput },
): Promise<LevelView> {
  requireMayChange(caller, orgId)
  const organisation = (await deps.organisations.get(orgId)) ?? refuse('not_found', 'no such organisation')
  const known = await findLevel(deps, orgId, name)
  const next = { ceiling: ceilingOf(deps.issuer, input), ver: newHandle(deps.random, 'ver'), changedAt: caller.barrier.now }
  const ends = known ? [{ handle: known.ver }] : []
  const draft = auditDraft(caller, 'levels.set', { orgId, subject: name })
  const commit: CountedCommit = (counting) =>
    deps.trustLog.commit({
      type: 'record.changed',
      ends,
      dependsOn: [...identitiesOf(caller.dependencies.handles), organisation.handle],
      operations: [
        ...counting,
        known
          ? deps.levels.changing(known.id, { ver: known.ver }, next)
          : deps.levels.inserting({ id: `${orgId} ${name}`, orgId, name, ...next }),
        ...deps.audit.recordingEnd(draft, { ends, reason: 'superseded' }),
      ],
    })
  const { outcome } = await (known ? commit([]) : deps.commitLevel(orgId, commit))
  if (outcome !== 'committed')
    refuse('conflict', 'the level was changed concurrently, or your own access was revoked; read it and try again')
  return { name, ceiling: next.ceiling, changedAt: next.changedAt }
}
