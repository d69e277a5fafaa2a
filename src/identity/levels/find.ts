import { refuse } from '../../errors.js'
import type { AgentId, OrgId } from '../../protocol/ids.js'
import type { Operation } from '../../storage/storage.js'
import { countNewest, type Quota } from '../limits/quota.js'
import type { Level, LevelsStore } from './store.js'

export interface FindLevelDeps {
  readonly levels: LevelsStore
}

export const MAX_LEVELS = 32

export const findLevel = ({ levels }: FindLevelDeps, orgId: OrgId, name: string): Promise<Level | undefined> =>
  levels.get(`${orgId} ${name}`)

/** The ceiling of the level that an agent is about to use, and an operation for the commit, which fails if the level is removed or changed at the same time. */
export async function requireLevel(
  deps: FindLevelDeps,
  orgId: OrgId,
  name: string,
  agentId: AgentId,
): Promise<Pick<Level, 'ceiling'> & { readonly using: Operation }> {
  const level =
    (await findLevel(deps, orgId, name)) ??
    refuse('bad_input', 'the organisation has no such scope level', {
      faults: [{ pointer: '/maxScopeLevel', hint: 'expected the name of a level; see "credence level list"' }],
    })
  return { ceiling: level.ceiling, using: deps.levels.changing(level.id, { ver: level.ver }, { usedBy: agentId }) }
}

export const levelsQuota = ({ levels }: FindLevelDeps, orgId: OrgId): Quota => ({
  id: `scope-levels ${orgId}`,
  orgId,
  limit: MAX_LEVELS,
  refusalText: `this organisation has ${MAX_LEVELS} scope levels, the maximum: remove one`,
  count: (atMost) =>
    countNewest(
      (after) => levels.find('organisation', { where: { orgId }, limit: 100, ...(after && { after }) }),
      () => true,
      atMost,
    ),
})
