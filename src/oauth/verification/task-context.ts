import type { FindHistory } from '../../audit/history.js'
import { type TaskView, viewOf } from '../../delegation/tasks/get.js'
import type { Task, TasksStore } from '../../delegation/tasks/store.js'
import { maySee } from '../../http/caller.js'
import type { AccessTokenClaims } from '../../protocol/claims.js'
import type { TaskId } from '../../protocol/ids.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { type AudienceDeps, isAudience, type Viewer } from './find-token.js'

export interface TaskContextDeps extends AudienceDeps {
  readonly tasks: TasksStore
  readonly trustLog: TrustLog
}

/** A task of a token, as `viewer` sees it. */
export interface TokenTask {
  readonly id: TaskId
  readonly state: TaskView['state']
  /** For the owner of the task, members of its organisation and operators; that of the token's own task also for the token's audience. */
  readonly description?: string
  readonly isOwn: boolean
  readonly task: Task
}

/** The task of a token, then its parents, nearest first. Empty for a token without a task. */
export async function tasksOf(
  deps: TaskContextDeps,
  viewer: Viewer,
  claims: AccessTokenClaims,
  now: number,
  findHistory: FindHistory,
): Promise<readonly TokenTask[]> {
  if (claims.task_id === undefined) return []
  const ids = [claims.task_id, ...(claims.parent_task_ids ?? [])]
  const found = await Promise.all(ids.map((id) => deps.tasks.get(id)))
  return Promise.all(
    found
      .filter((task) => task !== undefined)
      .map(async (task) => {
        const { state } = await viewOf(deps, now, task, findHistory)
        const isOwn = task.owner === viewer.id || maySee(viewer, task.orgId)
        const mayRead = isOwn || (task.id === claims.task_id && (await isAudience(deps, viewer, claims)))
        return { id: task.id, state, isOwn, task, ...(mayRead && { description: task.description }) }
      }),
  )
}
