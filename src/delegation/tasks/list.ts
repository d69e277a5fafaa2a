import type { Caller } from '../../http/caller.js'
import { maySee } from '../../http/caller.js'
import type { PageInput } from '../../http/paging.js'
import type { TaskId } from '../../protocol/ids.js'
import type { KeyRing } from '../../signing-keys/key-ring.js'
import { sealedPaging } from '../../signing-keys/sealed-paging.js'
import type { Cursor } from '../../storage/storage.js'
import { requireTask, type TaskDeps } from './authority.js'
import { type TaskView, viewOf } from './get.js'

export const TASK_STATES = ['active', 'paused', 'expired', 'ended'] as const satisfies readonly TaskView['state'][]

export interface ListTasksDeps extends TaskDeps {
  readonly keyRing: Pick<KeyRing, 'secret'>
}

interface TaskQuery extends PageInput {
  readonly state?: TaskView['state'] | undefined
  /** Only descendants of this task. */
  readonly under?: TaskId | undefined
}

/** Maximum number of tasks that one call reads in search of one that matches. If more remain, the page has a cursor. */
const MAX_READ = 1000

/**
 * Lists the caller's own tasks, newest first. A member sees those of the whole organisation, unless its role is `person`. With filters, a page may have
 * fewer items than its limit although there are more.
 */
export const listTasks = (
  deps: ListTasksDeps,
  caller: Caller,
  { state, under, ...paging }: TaskQuery,
): Promise<{ readonly items: readonly TaskView[]; readonly cursor?: string }> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    const { index, where } = await rangeOf(deps, caller, under)
    const findHistory = deps.audit.history(caller)
    // The last task that was read may be one that the caller may not see
    const query = ['tasks.list', caller.id, { state, under }]
    const { limit, after: first, cursorAt } = await sealedPaging(deps.keyRing, query, paging)
    for (let read = 0, after: Cursor | undefined = first; ; ) {
      const page = await deps.tasks.find(index, { where, order: 'down', limit, ...(after && { after }) })
      const visible = page.items.filter((task) => task.owner === caller.id || maySee(caller, task.orgId))
      const views = await Promise.all(visible.map((task) => viewOf(deps, now, task, findHistory)))
      const items = views.filter((view) => state === undefined || view.state === state)
      read += page.items.length
      if (items.length > 0 || page.next === undefined || read >= MAX_READ) return { items, ...(await cursorAt(page.next)) }
      after = page.next
    }
  })

/** The tasks among which the caller looks. Descendants may belong to other organisations: `listTasks` leaves those out. */
async function rangeOf(deps: TaskDeps, caller: Caller, under: TaskId | undefined) {
  if (under !== undefined) return { index: 'ancestors', where: { ancestors: (await requireTask(deps, caller, under)).id } }
  return caller.kind === 'member' && caller.role !== 'person'
    ? { index: 'organisation', where: { orgId: caller.orgId } }
    : { index: 'owner', where: { owner: caller.id } }
}
