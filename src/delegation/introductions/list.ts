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
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    const agent = AgentId.safeParse(caller.id)
    const index = agent.success ? role : (`${role}Org` as const)
    const where = { [index]: agent.success ? agent.data : caller.orgId }
    const page = await deps.introductions.find(index, { where, order: 'down', ...cursorOf(paging) })
    // One card may be read again for many introductions.
    const findReliance = memoized(deps.findReliance)
    const [viewDeps, findHistory] = [{ ...deps, findReliance }, deps.audit.history(caller)]
    const views = await Promise.all(page.items.map((introduction) => viewOf(viewDeps, introduction, now, findHistory)))
    return pageOf({ ...page, items: views }, (view) => view)
  })

function memoized<K, V>(read: (key: K) => Promise<V>): (key: K) => Promise<V> {
  const reads = new Map<K, Promise<V>>()
  return (key) => {
    const known = reads.get(key) ?? read(key)
    reads.set(key, known)
    return known
  }
}
