import { SKEW_SECONDS } from '../../protocol/claims.js'
import type { Handle } from '../../protocol/handles.js'
import type { TaskId } from '../../protocol/ids.js'
import type { Ending } from '../../protocol/log/entry.js'
import { dependenciesOf } from '../../protocol/standing.js'
import { grantedSince } from '../../trust-log/records/granted-since.js'
import type { Task, TasksStore } from './store.js'
import type { TaskDependencies } from './task-dependencies.js'

interface FindTaskDeps {
  readonly tasks: TasksStore
}

/** Finds a task as an exchange reads it. The caller must check that its dependencies stand. */
export async function findTask(deps: FindTaskDeps, id: TaskId): Promise<TaskDependencies | undefined> {
  const task = await deps.tasks.get(id)
  return (
    task && {
      id,
      owner: task.owner,
      orgId: task.orgId,
      ancestors: task.ancestors,
      dependencies: dependenciesOf([task.handle, ...task.dependsOn], task.deadline),
    }
  )
}

/** The horizon is the deadline: nothing that depends on the task is valid after it. */
export const endingOfTask = ({ handle, deadline }: Task): Ending => ({ handle, horizon: deadline + SKEW_SECONDS })

/** Endings of the tasks that `granter` created at or after `since` (epoch seconds). */
export const tasksGrantedBy = ({ tasks }: FindTaskDeps, granter: Handle, since: number): Promise<readonly Ending[]> =>
  grantedSince(tasks.collection, { grantedBy: granter, since, createdAt: ({ createdAt }) => createdAt, ending: endingOfTask })
