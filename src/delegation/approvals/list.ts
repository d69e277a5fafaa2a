import type { Caller } from '../../http/caller.js'
import { cursorOf, formatCursor, newestOf, type PageInput } from '../../http/paging.js'
import { AgentId } from '../../protocol/ids.js'
import type { Cursor, Page } from '../../storage/storage.js'
import { currentAsk, isPending, requestViewOf } from '../introductions/capability/find.js'
import { type Ask, type CapabilityRequest, isAsk } from '../introductions/capability/store.js'
import { PENDING_SECONDS, stateOf } from '../introductions/introduction.js'
import type { Introduction } from '../introductions/store.js'
import { viewOf as introductionViewOf } from '../introductions/view.js'
import { isSeen } from './get.js'
import type { ApprovalDeps } from './request.js'
import type { Approval } from './store.js'
import { type ApprovalView, viewOf, viewOfIntroduction } from './view.js'

interface ListInput extends PageInput {
  /** `to`: requests to the caller or its organisation. `from`: requests that they made. */
  readonly role: 'from' | 'to'
  /** `pending`: requests without a decision. `all`: decided ones too. */
  readonly state: 'pending' | 'all'
}

type Item = Approval | Introduction | Ask | CapabilityRequest

/** Pages that are read at most for one response, and the size of each after the first. */
const MAX_PAGES = 20
const PAGE = 100

/**
 * Lists approvals and requested introductions, newest first. A response without items but with a cursor says that more requests were read than one response
 * may read, none of them pending. A member sees those of the whole organisation, an agent also those to the resources
 * that it operates.
 */
export const listApprovals = (
  deps: ApprovalDeps,
  caller: Caller,
  { role, state, ...paging }: ListInput,
): Promise<{ readonly items: readonly ApprovalView[]; readonly cursor?: string }> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    const views: ApprovalView[] = []
    let after = cursorOf(paging).after
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const { items, next } = await readPage(deps, caller, role, { limit: pages === 0 ? paging.limit : PAGE, ...(after && { after }) })
      for (const item of items) {
        // Older requests have expired
        if (state === 'pending' && item.createdAt <= now - PENDING_SECONDS) return { items: views }
        after = cursorOfItem(item)
        if (state === 'pending' && !mayBePending(deps, item, now)) continue
        if ('digest' in item && !(await isSeen(deps, caller, item))) continue
        const view = await viewOfItem(deps, caller, item, now)
        if (state === 'all' || view.state === 'pending') views.push(view)
        if (views.length === paging.limit) return { items: views, cursor: formatCursor(after) }
      }
      if (next === undefined) return { items: views }
    }
    return { items: views, ...(after && { cursor: formatCursor(after) }) }
  })

/** Rules rows out by the row and the log alone, because a view needs several reads. */
function mayBePending({ trustLog }: ApprovalDeps, item: Item, now: number): boolean {
  if ('digest' in item) return item.state === 'pending'
  return 'to' in item ? stateOf(trustLog, item, now) === 'pending' : isPending(trustLog.ended, item)
}

const cursorOfItem = (item: Item): readonly [number, string] => [item.createdAt, 'askId' in item ? item.askId : item.id]

async function readPage(
  deps: ApprovalDeps,
  caller: Caller,
  role: ListInput['role'],
  paging: { readonly limit: number; readonly after?: Cursor },
): Promise<{ readonly items: readonly Item[]; readonly next?: Cursor }> {
  const agent = AgentId.safeParse(caller.id)
  const index = agent.success ? role : (`${role}Org` as const)
  const query = { order: 'down', ...paging } as const
  const where = { [index]: agent.success ? agent.data : caller.orgId }
  const operated = agent.success && role === 'to' ? await deps.findOperated(agent.data) : []
  const { asks, requests } = deps.capabilities
  const pages: readonly Page<Item>[] = await Promise.all([
    deps.approvals.find(index, { ...query, where }),
    deps.introductions.find(index, { ...query, where }),
    ...operated.flatMap((to) => [
      deps.approvals.find('to', { ...query, where: { to } }),
      deps.introductions.find('to', { ...query, where: { to } }),
    ]),
    role === 'to' ? asks.find(index, { ...query, where }) : requests.find(index, { ...query, where }),
  ])
  return newestOf<Item>(pages, paging.limit, cursorOfItem)
}

async function viewOfItem(deps: ApprovalDeps, caller: Caller, item: Item, now: number): Promise<ApprovalView> {
  if ('digest' in item) return viewOf(deps, item, now)
  const findHistory = deps.audit.history(caller)
  if (!('to' in item)) return viewOfIntroduction(await requestViewOf(deps, item, now, findHistory))
  return viewOfIntroduction(await introductionViewOf(deps, isAsk(item) ? await currentAsk(deps, item) : item, now, findHistory))
}
