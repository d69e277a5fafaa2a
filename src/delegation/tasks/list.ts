import type { Caller } from '../../http/caller.js'
import { cursorOf, type PageInput, pageOf } from '../../http/paging.js'
import type { TaskDeps } from './authority.js'
import { type TaskView, viewOf } from './get.js'

/** Lists the caller's own tasks, newest first. A member sees those of the whole organisation, unless its role is `person`. */
export const listTasks = (
  deps: TaskDeps,
  caller: Caller,
  input: PageInput,
): Promise<{ readonly items: readonly TaskView[]; readonly cursor?: string }> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    const paging = { order: 'down' as const, ...cursorOf(input) }
    const page =
      caller.kind === 'member' && caller.role !== 'person'
        ? await deps.tasks.find('organisation', { where: { orgId: caller.orgId }, ...paging })
        : await deps.tasks.find('owner', { where: { owner: caller.id }, ...paging })
    const findHistory = deps.audit.history(caller)
    const items = await Promise.all(page.items.map((task) => viewOf(deps, now, task, findHistory)))
    return pageOf({ ...page, items }, (view) => view)
  })
