import { type Caller, maySee } from '../../http/caller.js'
import { cursorOf, formatCursor, newestOf, type PageInput } from '../../http/paging.js'
import { AgentId } from '../../protocol/ids.js'
import type { Cursor, Page } from '../../storage/storage.js'
import { findUses, type UseView } from '../uses/find.js'
import { currentAsk, requestViewOf } from './capability/find.js'
import { type Ask, type CapabilityRequest, isAsk } from './capability/store.js'
import type { IntroductionDeps } from './introduction-deps.js'
import type { Introduction } from './store.js'
import { type IntroductionView, viewOf } from './view.js'

interface ListInput extends PageInput {
  readonly role: 'from' | 'to'
  readonly agentId?: AgentId | undefined
  readonly state: 'all' | 'pending' | 'granted'
}

type Item = Introduction | Ask | CapabilityRequest
type ListedIntroduction = IntroductionView & Partial<UseView>

/** Pages that are read at most for one response, and the size of each after the first. */
const MAX_PAGES = 20
const PAGE = 100

/**
 * Lists the introductions that the caller requested (`from`) or received (`to`), newest first. A member sees those of the whole organisation, an agent also
 * those to the resources that it operates. With `agentId` a member sees what this agent of the organisation sees. A response with fewer items than its limit
 * but with a cursor says that more were read than one response may read.
 */
export const listIntroductions = (
  deps: IntroductionDeps,
  caller: Caller,
  { role, agentId, state, ...paging }: ListInput,
): Promise<{ readonly items: readonly ListedIntroduction[]; readonly cursor?: string }> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    // Many introductions may need the same card.
    const viewDeps = { ...deps, findReliance: memoized(deps.findReliance) }
    const items: ListedIntroduction[] = []
    let after = cursorOf(paging).after
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const limit = pages === 0 ? paging.limit : PAGE
      const page = await readPage(deps, caller, { role, agentId }, { limit, ...(after && { after }) })
      const isListed = (item: Item) => (state === 'all' || item.state === state) && mayList(caller, role, item)
      // Of another organisation's agent the caller does not learn either whether there are more
      if (page.items.length > 0 && !page.items.some((item) => mayList(caller, role, item))) return { items }
      const views = await Promise.all(page.items.map((item) => (isListed(item) ? listedOf(viewDeps, caller, item, now) : undefined)))
      for (const [i, item] of page.items.entries()) {
        const view = views[i]
        after = cursorOfItem(item)
        if (!view || !isInState(view, state)) continue
        items.push(view)
        const isLast = page.next === undefined && i === page.items.length - 1
        if (items.length === paging.limit) return isLast ? { items } : { items, cursor: formatCursor(after) }
      }
      if (page.next === undefined) return { items }
    }
    return { items, ...(after && { cursor: formatCursor(after) }) }
  })

const isInState = ({ state }: IntroductionView, asked: ListInput['state']): boolean =>
  asked === 'all' || state === asked || (asked === 'granted' && state === 'needsApproval')

/** An agent of another organisation has no rows for the caller. */
const mayList = (caller: Caller, role: ListInput['role'], { fromOrg, ...item }: Item): boolean =>
  caller.kind === 'agent' || maySee(caller, role === 'from' || !('toOrg' in item) ? fromOrg : item.toOrg)

const cursorOfItem = (item: Item): readonly [number, string] => [item.createdAt, 'askId' in item ? item.askId : item.id]

async function readPage(
  deps: IntroductionDeps,
  caller: Caller,
  { role, agentId }: Pick<ListInput, 'role' | 'agentId'>,
  paging: { readonly limit: number; readonly after?: Cursor },
): Promise<Page<Item>> {
  const own = AgentId.safeParse(caller.id)
  // An agent that names another agent sees nothing
  if (own.success && agentId !== undefined && agentId !== own.data) return { items: [] }
  const agent = own.success ? own.data : agentId
  const index = agent ? role : (`${role}Org` as const)
  const query = { where: { [index]: agent ?? caller.orgId }, order: 'down', ...paging } as const
  const { asks, requests } = deps.capabilities
  const operated = agent && role === 'to' ? await deps.findOperated(agent) : []
  const pages: readonly Page<Item>[] = await Promise.all([
    deps.introductions.find(index, query),
    ...operated.map((to) => deps.introductions.find('to', { ...query, where: { to } })),
    role === 'to' ? asks.find(index as 'to' | 'toOrg', query) : requests.find(index, query),
  ])
  return newestOf<Item>(pages, paging.limit, cursorOfItem)
}

async function listedOf(deps: IntroductionDeps, caller: Caller, item: Item, now: number): Promise<ListedIntroduction> {
  const findHistory = deps.audit.history(caller)
  if (!('to' in item)) return requestViewOf(deps, item, now, findHistory)
  if (isAsk(item)) return viewOf(deps, await currentAsk(deps, item), now, findHistory)
  const view = await viewOf(deps, item, now, findHistory)
  // Only a granted introduction has uses
  if (item.grantedAt === undefined) return view
  const { uses, lastUsedAt } = await findUses(deps, { kind: 'introduction', id: item.id })
  return { ...view, uses, lastUsedAt }
}

function memoized<K, V>(read: (key: K) => Promise<V>): (key: K) => Promise<V> {
  const reads = new Map<K, Promise<V>>()
  return (key) => {
    const known = reads.get(key) ?? read(key)
    reads.set(key, known)
    return known
  }
}
