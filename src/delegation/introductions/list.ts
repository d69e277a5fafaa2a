import type { Caller } from '../../http/caller.js'
import { type PageInput, pageOf, placeOf } from '../../http/paging.js'
import { AgentId } from '../../protocol/ids.js'
import type { IntroductionDeps } from './introduction-deps.js'
import { type IntroductionView, viewOf } from './view.js'

/** Newest first. An agent's own, or those of one's organisation, asked (`from`) or received (`to`). */
export const listIntroductions = (
  deps: IntroductionDeps,
  caller: Caller,
  { role, ...paging }: PageInput & { readonly role: 'from' | 'to' },
): Promise<{ readonly items: readonly IntroductionView[]; readonly cursor?: string }> =>
  deps.trustLog.afterBarrier(async ({ now }) => {
    const agent = AgentId.safeParse(caller.id)
    const index = agent.success ? role : (`${role}Org` as const)
    const where = { [index]: agent.success ? agent.data : caller.orgId }
    const page = await deps.introductions.collection.find(index, { where, order: 'down', ...placeOf(paging) })
    return pageOf(page, (one) => (one.hidden === undefined ? viewOf(deps, one, now) : undefined))
  })
