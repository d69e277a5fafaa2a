import type { TaskDependencies } from '../../delegation/tasks/task-dependencies.js'
import { refuse } from '../../errors.js'
import type { ClientId, TaskId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import type { Ended } from '../../trust-log/trust-log.js'

/** A task id that a token is requested for, and the task, if there is one with this id. */
interface RequestedTask {
  readonly id: TaskId
  readonly task?: TaskDependencies | undefined
}

/** The tasks that bound a token request. */
interface TaskBounds {
  readonly presenter: ClientId
  /** The task of the subject token. */
  readonly subjectTask?: TaskId | undefined
  /** The task that the introduction was requested for. */
  readonly introductionTask?: TaskId | undefined
}

/**
 * Requires the subject token's task or a descendant of it that the presenter created; without a task in the subject token, any task of the
 * presenter. If the introduction names a task, it must be that one or a descendant. The task must stand.
 */
export function requireTask(
  ended: Ended,
  requested: RequestedTask | undefined,
  { presenter, subjectTask, introductionTask }: TaskBounds,
): TaskDependencies | undefined {
  if (requested === undefined) {
    if (introductionTask === undefined) return undefined
    return refuse(
      'invalid_request',
      `the introduction is only for the task ${introductionTask}: send task_id with this task or a child of it`,
    )
  }
  const { task } = requested
  const isOfSubject = task !== undefined && task.id === subjectTask
  const isOwn = task !== undefined && task.owner === presenter && (subjectTask === undefined || task.ancestors.includes(subjectTask))
  if (!task || !(isOfSubject || isOwn) || !stands(ended, task.dependencies.handles))
    return refuse(
      'invalid_request',
      'the task must be that of the subject token, or a child task of it that you created, and must not have ended',
    )
  if (introductionTask !== undefined && ![task.id, ...task.ancestors].includes(introductionTask))
    return refuse('invalid_request', `the introduction is only for the task ${introductionTask} and its child tasks`)
  return task
}
