import type { ClientId, OrgId, TaskId } from '../../protocol/ids.js'
import { type Dependencies, dependenciesOf, joinDependencies } from '../../protocol/standing.js'
import type { BudgetedTask } from '../budgets/budget.js'
import type { Task } from './store.js'

/** A task as an exchange reads it. */
export interface TaskDependencies {
  readonly id: TaskId
  readonly reference?: string | undefined
  readonly owner: ClientId
  readonly orgId: OrgId
  /** Parent tasks, nearest first. */
  readonly ancestors: readonly TaskId[]
  /** True if it or an ancestor is paused: there are no tokens for it then. */
  readonly isPaused: boolean
  /** The budgets of the task and of its ancestors. */
  readonly budgets: readonly BudgetedTask[]
  /** Handles of the task and its ancestors, versions of their states, and the identities of the owner. They expire at the task's deadline. */
  readonly dependencies: Dependencies
}

/** Dependants of a task also depend on its ancestors and its owner, and expire by its deadline. */
export const dependenciesOfTask = ({ handle, dependsOn, deadline }: Task): Dependencies => dependenciesOf([handle, ...dependsOn], deadline)

export const budgetsOf = (tasks: readonly Task[]): readonly BudgetedTask[] =>
  tasks.flatMap(({ id, budget, deadline }) => (budget ? [{ id, budget, deadline }] : []))

/** A task and its ancestors as tokens depend on them: also on their states. */
export function taskForTokens(task: Task, ancestors: readonly Task[]): TaskDependencies {
  const { id, reference, owner, orgId } = task
  const chain = [task, ...ancestors]
  return {
    id,
    reference,
    owner,
    orgId,
    ancestors: task.ancestors,
    isPaused: chain.some(({ isPaused }) => isPaused === true),
    budgets: budgetsOf(chain),
    dependencies: joinDependencies(
      dependenciesOfTask(task),
      dependenciesOf(chain.flatMap(({ stateVer }) => (stateVer === undefined ? [] : [stateVer]))),
    ),
  }
}
