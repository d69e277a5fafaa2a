import type { Caller } from '../../http/caller.js'
import { cursorOf, type PageInput, pageOf } from '../../http/paging.js'
import { AgentId } from '../../protocol/ids.js'
import type { IntroductionDeps } from './introduction-deps.js'
import { type IntroductionView, viewOf } from './view.js'

/** Lists the introductions that the caller requested (`from`) or received (`to`), newest first. A member sees those of the whole organisation. */
export const listIntroductions = (
  deps: IntroductionDeps,
  caller: Caller,
  { role, ...paging }: PageInput & { readonly role: 'from' | 'to' },
): Promise<{ readonly items: readonly IntroductionView[]; readonly cursor?: string }> =>
  deps.trustLog.afterBarrier(async ({ now }) => {
    const agent = AgentId.safeParse(caller.id)
    const index = agent.success ? role : (`${role}Org` as const)
    const where = { [index]: agent.success ? agent.data : caller.orgId }
    const page = await deps.introductions.collection.find(index, { where, order: 'down', ...cursorOf(paging) })
    return pageOf(page, (introduction) => (introduction.hidden === undefined ? viewOf(deps, introduction, now) : undefined))
  })
