import type { Caller } from '../../http/caller.js'
import { type PageInput, pageOf, placeOf } from '../../http/paging.js'
import type { TaskDeps } from './authority.js'
import { type TaskView, viewOf } from './get.js'

/** One's own, newest first; people see those of their organisation. */
export const listTasks = (
  deps: TaskDeps,
  caller: Caller,
  input: PageInput,
): Promise<{ readonly items: readonly TaskView[]; readonly cursor?: string }> =>
  deps.trustLog.afterBarrier(async ({ now }) => {
    const place = { order: 'down' as const, ...placeOf(input) }
    const page =
      caller.kind === 'member'
        ? await deps.tasks.collection.find('organisation', { where: { orgId: caller.orgId }, ...place })
        : await deps.tasks.collection.find('owner', { where: { owner: caller.id }, ...place })
    return pageOf(page, (task) => (task.hidden === undefined ? viewOf(deps, now, task) : undefined))
  })
