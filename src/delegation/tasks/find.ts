import { SKEW_SECONDS } from '../../protocol/claims.js'
import type { Handle } from '../../protocol/handles.js'
import type { TaskId } from '../../protocol/ids.js'
import type { Ending } from '../../protocol/log/entry.js'
import { groundOf } from '../../protocol/standing.js'
import { grantedSince } from '../../trust-log/records/granted-since.js'
import type { Task, TasksStore } from './store.js'
import type { TaskGround } from './task-dependencies.js'

export interface FindTaskDeps {
  readonly tasks: TasksStore
}

/** A task as an exchange reads it; who decides checks that its ground stands. */
export async function findTask(deps: FindTaskDeps, id: TaskId): Promise<TaskGround | undefined> {
  const task = await deps.tasks.get(id)
  // A child's deadline is never later than its parents'.
  return (
    task && { id, owner: task.owner, orgId: task.orgId, parents: task.parents, ground: groundOf([task.handle, ...task.on], task.deadline) }
  )
}

/** Nothing that stands on a task is valid after its deadline. */
export const endingOfTask = ({ handle, deadline }: Task): Ending => ({ handle, horizon: deadline + SKEW_SECONDS })

/** Tasks that were created by the handle since then. */
export const tasksGrantedBy = ({ tasks }: FindTaskDeps, by: Handle, since: number): Promise<readonly Ending[]> =>
  grantedSince(tasks.collection, { by, since, at: ({ at }) => at, ending: endingOfTask })
