import { refuse } from '../../errors.js'
import { type Caller, maySee } from '../../http/caller.js'
import type { OrgId } from '../../protocol/ids.js'
import type { Ceiling } from '../../protocol/rights.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { type FindLevelDeps, MAX_LEVELS } from './find.js'

export interface LevelView {
  readonly name: string
  readonly ceiling: Ceiling
  readonly changedAt: number
}

/** Lists the scope levels of an organisation by name. */
export const listLevels = (
  deps: FindLevelDeps & { readonly trustLog: TrustLog },
  caller: Caller,
  { orgId = caller.orgId }: { readonly orgId?: OrgId | undefined },
): Promise<{ readonly items: readonly LevelView[] }> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => {
    if (!maySee(caller, orgId)) return refuse('not_found', 'no such organisation')
    const { items } = await deps.levels.find('organisation', { where: { orgId }, limit: MAX_LEVELS })
    return { items: items.map(({ name, ceiling, changedAt }) => ({ name, ceiling, changedAt })) }
  })
