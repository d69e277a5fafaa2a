import type { Caller } from '../../http/caller.js'
import type { Limits } from '../../identity/limits/limits.js'
import { type Quota, quotaText } from '../../identity/limits/quota.js'
import { SKEW_SECONDS } from '../../protocol/claims.js'
import type { Handle } from '../../protocol/handles.js'
import type { ClientId, TaskId } from '../../protocol/ids.js'
import type { Ending } from '../../protocol/log/entry.js'
import { stands } from '../../protocol/standing.js'
import type { Cursor } from '../../storage/storage.js'
import { grantedSince } from '../../trust-log/granted-since.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Task, TasksStore } from './store.js'
import { type TaskDependencies, taskForTokens } from './task-dependencies.js'

interface FindTaskDeps {
  readonly tasks: TasksStore
}

/** Finds a task as an exchange reads it. The caller must check that its dependencies stand. */
export async function findTask(deps: FindTaskDeps, id: TaskId): Promise<TaskDependencies | undefined> {
  const task = await deps.tasks.get(id)
  return task && taskForTokens(task, await ancestorsOf(deps, task))
}

/** The parent of a task, and its parents, nearest first. */
export async function ancestorsOf({ tasks }: FindTaskDeps, { ancestors }: Pick<Task, 'ancestors'>): Promise<readonly Task[]> {
  const found = await Promise.all(ancestors.map((id) => tasks.get(id)))
  return found.filter((task) => task !== undefined)
}

interface CountTasksDeps extends FindTaskDeps {
  readonly trustLog: Pick<TrustLog, 'ended' | 'now'>
}

/** Counts the open tasks of a client, up to `atMost`. Tasks that have ended since the last count leave the index. */
export async function countOpenTasks({ tasks, trustLog }: CountTasksDeps, owner: ClientId, atMost: number): Promise<number> {
  let found = 0
  for (let after: Cursor | undefined; ; ) {
    const { items, next } = await tasks.find('open', { where: { owner, isOpen: true }, order: 'down', limit: 100, ...(after && { after }) })
    const live = items.filter(({ deadline }) => deadline > trustLog.now())
    const ended = live.filter(({ handle, dependsOn }) => !stands(trustLog.ended, [handle, ...dependsOn]))
    await Promise.all(ended.map(({ id }) => tasks.change(id, { isOpen: true }, { isOpen: undefined })))
    found += live.length - ended.length
    // Those that follow have an earlier deadline
    if (found >= atMost || next === undefined || live.length < items.length) return Math.min(found, atMost)
    after = next
  }
}

export const tasksQuota = (deps: CountTasksDeps, { id, orgId }: Pick<Caller, 'id' | 'orgId'>, { openTasks: limit }: Limits): Quota => ({
  id: `tasks ${id}`,
  orgId,
  limit,
  refusalText: quotaText('this client', limit, 'open task', 'end one'),
  count: (atMost) => countOpenTasks(deps, id, atMost),
})

/** The horizon is the deadline: nothing that depends on the task is valid after it. */
export const endingOfTask = ({ handle, deadline }: Task): Ending => ({ handle, horizon: deadline + SKEW_SECONDS })

/** Endings of the tasks that `granter` created at or after `since` (epoch seconds). */
export const tasksGrantedBy = ({ tasks }: FindTaskDeps, granter: Handle, since: number): Promise<readonly Ending[]> =>
  grantedSince(tasks, { grantedBy: granter, since, createdAt: ({ createdAt }) => createdAt, ending: endingOfTask })
