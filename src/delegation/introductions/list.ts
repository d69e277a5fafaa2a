import { type Caller, maySee } from '../../http/caller.js'
import { cursorOf, formatCursor, newestOf, type PageInput } from '../../http/paging.js'
import { AgentId } from '../../protocol/ids.js'
import type { Cursor, Page } from '../../storage/storage.js'
import { findUses, type UseView } from '../uses/find.js'
import { currentAsk, isPending, requestViewOf } from './capability/find.js'
import { type Ask, type CapabilityRequest, isAsk } from './capability/store.js'
import { stateOf } from './introduction.js'
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

/** Maximum number of rows that one call reads in search of those that match, and of those whose view it makes. If more remain, the page has a cursor. */
const MAX_READ = 2000
const MAX_VIEWS = 200
/** Rows per page after the first. */
const PAGE = 100
/** A view needs several reads: so many views are made at once. */
const BATCH = 20

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
    const isListed = (item: Item) => mayList(caller, role, item) && mayBe(deps, item, state, now)
    const items: ListedIntroduction[] = []
    let after = cursorOf(paging).after
    let views = 0
    for (let read = 0, limit = paging.limit; read < MAX_READ; limit = PAGE) {
      const page = await readPage(deps, caller, { role, agentId }, { limit, ...(after && { after }) })
      read += page.read
      // Of another organisation's agent the caller does not learn either whether there are more
      if (page.items.length > 0 && !page.items.some((item) => mayList(caller, role, item))) return { items }
      for (let from = 0; from < page.items.length; from += BATCH) {
        const batch = page.items.slice(from, from + BATCH)
        views += batch.filter(isListed).length
        if (views > MAX_VIEWS) return { items, ...(after && { cursor: formatCursor(after) }) }
        const listed = await Promise.all(
          batch.map((item) => (isListed(item) ? listedOf(viewDeps, caller, item, { state, now }) : undefined)),
        )
        for (const [i, item] of batch.entries()) {
          if (items.length === paging.limit) return { items, ...(after && { cursor: formatCursor(after) }) }
          if (listed[i]) items.push(listed[i])
          after = cursorOfItem(item)
        }
      }
      if (page.next === undefined) return { items }
      if (items.length === paging.limit) break
    }
    return { items, ...(after && { cursor: formatCursor(after) }) }
  })

/** Rules rows out by the row and the log alone. The view decides about the others. */
function mayBe({ trustLog }: IntroductionDeps, item: Item, state: ListInput['state'], now: number): boolean {
  if (state === 'all') return true
  if (!('to' in item)) return state === 'pending' && isPending(trustLog.ended, item) && item.pendingUntil > now
  return stateOf(trustLog, item, now) === state
}

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
): Promise<Page<Item> & { readonly read: number }> {
  const own = AgentId.safeParse(caller.id)
  // An agent that names another agent sees nothing
  if (own.success && agentId !== undefined && agentId !== own.data) return { items: [], read: 0 }
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
  return { ...newestOf<Item>(pages, paging.limit, cursorOfItem), read: pages.reduce((sum, { items }) => sum + items.length, 0) }
}

/** Undefined if the introduction is in another state. */
async function listedOf(
  deps: IntroductionDeps,
  caller: Caller,
  item: Item,
  { state, now }: Pick<ListInput, 'state'> & { readonly now: number },
): Promise<ListedIntroduction | undefined> {
  const findHistory = deps.audit.history(caller)
  if (!('to' in item)) return requestViewOf(deps, item, now, findHistory)
  const view = await viewOf(deps, isAsk(item) ? await currentAsk(deps, item) : item, now, findHistory)
  if (!isInState(view, state)) return undefined
  // Only a granted introduction has uses
  if (isAsk(item) || item.grantedAt === undefined) return view
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
