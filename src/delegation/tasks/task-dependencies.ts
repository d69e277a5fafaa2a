import type { ClientId, OrgId, TaskId } from '../../protocol/ids.js'
import type { Dependencies } from '../../protocol/standing.js'

/** A task as an exchange reads it. */
export interface TaskDependencies {
  readonly id: TaskId
  readonly owner: ClientId
  readonly orgId: OrgId
  /** Nearest first. */
  readonly parents: readonly TaskId[]
  /** tsk: of itself and of each parent, and its owner's identities; until the earliest deadline. */
  readonly dependencies: Dependencies
}
