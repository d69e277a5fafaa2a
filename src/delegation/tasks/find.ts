import { SKEW_SECONDS } from '../../protocol/claims.js'
import type { Handle } from '../../protocol/handles.js'
import type { TaskId } from '../../protocol/ids.js'
import type { Ending } from '../../protocol/log/entry.js'
import { dependenciesOf } from '../../protocol/standing.js'
import { grantedSince } from '../../trust-log/records/granted-since.js'
import type { Task, TasksStore } from './store.js'
import type { TaskDependencies } from './task-dependencies.js'

export interface FindTaskDeps {
  readonly tasks: TasksStore
}

/** A task as an exchange reads it; who decides checks that its dependencies stands. */
export async function findTask(deps: FindTaskDeps, id: TaskId): Promise<TaskDependencies | undefined> {
  const task = await deps.tasks.get(id)
  // A child's deadline is never later than its parents'.
  return (
    task && {
      id,
      owner: task.owner,
      orgId: task.orgId,
      parents: task.parents,
      dependencies: dependenciesOf([task.handle, ...task.dependsOn], task.deadline),
    }
  )
}

/** Nothing that stands on a task is valid after its deadline. */
export const endingOfTask = ({ handle, deadline }: Task): Ending => ({ handle, horizon: deadline + SKEW_SECONDS })

/** Tasks that were created by the handle since then. */
export const tasksGrantedBy = ({ tasks }: FindTaskDeps, by: Handle, since: number): Promise<readonly Ending[]> =>
  grantedSince(tasks.collection, { by, since, at: ({ at }) => at, ending: endingOfTask })
