import type { ClientId, OrgId, TaskId } from '../../protocol/ids.js'
import type { Dependencies } from '../../protocol/standing.js'

/** A task as an exchange reads it. */
export interface TaskDependencies {
  readonly id: TaskId
  readonly owner: ClientId
  readonly orgId: OrgId
  /** Parent tasks, nearest first. */
  readonly ancestors: readonly TaskId[]
  /** Handles of the task and its ancestors, and the identities of the owner. They expire at the task's deadline. */
  readonly dependencies: Dependencies
}
