import type { ClientId, OrgId, TaskId } from '../../protocol/ids.js'
import { type Dependencies, dependenciesOf } from '../../protocol/standing.js'
import type { Task } from './store.js'

/** A task as an exchange reads it. */
export interface TaskDependencies {
  readonly id: TaskId
  readonly reference?: string | undefined
  readonly owner: ClientId
  readonly orgId: OrgId
  /** Parent tasks, nearest first. */
  readonly ancestors: readonly TaskId[]
  /** Handles of the task and its ancestors, and the identities of the owner. They expire at the task's deadline. */
  readonly dependencies: Dependencies
}

/** What depends on a task depends on its ancestors and its owner too, and expires by its deadline. */
export const dependenciesOfTask = ({ handle, dependsOn, deadline }: Task): Dependencies => dependenciesOf([handle, ...dependsOn], deadline)
