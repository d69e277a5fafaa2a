import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { OrgId } from '../../protocol/ids.js'
import type { Cursor } from '../../storage/storage.js'
import { isRevoked } from '../agents/end-agent.js'
import type { FindAgentDeps } from '../agents/find.js'
import { findLevel } from './find.js'
import { type LevelsDeps, requireMayChange } from './set.js'

/** Removes a scope level that no agent uses. Revoked agents do not count. */
export async function removeLevel(
  deps: LevelsDeps & FindAgentDeps,
  caller: Caller,
  { orgId = caller.orgId, name }: { readonly orgId?: OrgId | undefined; readonly name: string },
): Promise<{ readonly name: string }> {
  requireMayChange(caller, orgId)
  const level = (await findLevel(deps, orgId, name)) ?? refuse('not_found', 'no such scope level')
  if (await isUsed(deps, orgId, name))
    refuse('conflict', 'agents use the level: change their level first (credence agent change --max-scope-level)')
  const ends = [{ handle: level.ver }]
  const draft = auditDraft(caller, 'levels.remove', { orgId, subject: name })
  const { outcome } = await deps.trustLog.commit({
    type: 'record.changed',
    ends,
    dependsOn: [],
    operations: [
      // Fails if an agent has begun to use the level meanwhile
      deps.levels.taking(level.id, { ver: level.ver, usedBy: level.usedBy ?? null }),
      ...deps.audit.recordingEnd(draft, { ends, reason: 'no_longer_needed' }),
    ],
  })
  return outcome === 'committed' ? { name } : refuse('conflict', 'the level was changed or used concurrently; try again')
}

async function isUsed(deps: LevelsDeps & FindAgentDeps, orgId: OrgId, maxScopeLevel: string): Promise<boolean> {
  for (let after: Cursor | undefined; ; ) {
    const { items, next }: Awaited<ReturnType<typeof deps.agents.find>> = await deps.agents.find('level', {
      where: { orgId, maxScopeLevel },
      limit: 100,
      ...(after && { after }),
    })
    for (const { id } of items) if (!(await isRevoked(deps, id))) return true
    if (next === undefined) return false
    after = next
  }
}
