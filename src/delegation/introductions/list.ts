import type { Caller } from '../../http/caller.js'
import { cursorOf, newestOf, type PageInput, pageOf } from '../../http/paging.js'
import { AgentId } from '../../protocol/ids.js'
import { currentAsk, requestViewOf } from './capability/find.js'
import { type Ask, type CapabilityRequest, isAsk } from './capability/store.js'
import type { IntroductionDeps } from './introduction-deps.js'
import type { Introduction } from './store.js'
import { type IntroductionView, viewOf } from './view.js'

/**
 * Lists the introductions that the caller requested (`from`) or received (`to`), newest first. A member sees those of the whole organisation, an agent also
 * those to the resources that it operates.
 */
export const listIntroductions = (
  deps: IntroductionDeps,
  caller: Caller,
  { role, ...paging }: PageInput & { readonly role: 'from' | 'to' },
): Promise<{ readonly items: readonly IntroductionView[]; readonly cursor?: string }> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    const agent = AgentId.safeParse(caller.id)
    const index = agent.success ? role : (`${role}Org` as const)
    const where = { [index]: agent.success ? agent.data : caller.orgId }
    const query = { where, order: 'down', ...cursorOf(paging) } as const
    const { asks, requests } = deps.capabilities
    const operated = agent.success && role === 'to' ? await deps.findOperated(agent.data) : []
    const pages = await Promise.all([
      deps.introductions.find(index, query),
      ...operated.map((to) => deps.introductions.find('to', { ...query, where: { to } })),
      role === 'to' ? asks.find(index as 'to' | 'toOrg', query) : requests.find(index, query),
    ])
    const page = newestOf<Introduction | Ask | CapabilityRequest>(pages, paging.limit, (item) => [
      item.createdAt,
      'askId' in item ? item.askId : item.id,
    ])
    // Many introductions may need the same card.
    const findReliance = memoized(deps.findReliance)
    const [viewDeps, findHistory] = [{ ...deps, findReliance }, deps.audit.history(caller)]
    const views = await Promise.all(
      page.items.map(async (item) => {
        if (!('to' in item)) return requestViewOf(deps, item, now, findHistory)
        return viewOf(viewDeps, isAsk(item) ? await currentAsk(deps, item) : item, now, findHistory)
      }),
    )
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
