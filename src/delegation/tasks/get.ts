import type { FindHistory, HistoryView } from '../../audit/history.js'
import type { Caller } from '../../http/caller.js'
import type { Handle } from '../../protocol/handles.js'
import type { ClientId, TaskId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import type { Budget } from '../budgets/budget.js'
import { type BudgetUse, readUse } from '../budgets/store.js'
import { requireTask, type TaskDeps } from './authority.js'
import { ancestorsOf } from './find.js'
import type { Task } from './store.js'
import { budgetsOf, taskForTokens } from './task-dependencies.js'

/** A task as its owner and the owner's organisation see it. */
export interface TaskView extends Partial<HistoryView> {
  readonly taskId: TaskId
  readonly owner: ClientId
  readonly description: string
  readonly parentTaskId?: TaskId | undefined
  readonly deadline: number
  readonly createdAt: number
  /** Bounds the calls with its tokens and those of its child tasks; in `tasks.get` also with their use. */
  readonly budget?: ({ readonly limit: Budget } & Partial<BudgetUse>) | undefined
  /** `paused`: it or a parent is paused. */
  readonly state: 'active' | 'paused' | 'expired' | 'ended'
  readonly handles: readonly Handle[]
}

/** Returns a task to its owner and to members of the owner's organisation. */
export const getTask = (deps: TaskDeps, caller: Caller, id: TaskId): Promise<TaskView> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    const task = await requireTask(deps, caller, id)
    const [view, ...uses] = await Promise.all([
      viewOf(deps, now, task, deps.audit.history(caller)),
      ...budgetsOf([task]).map((budgeted) => readUse(deps.storage, budgeted, now)),
    ])
    return { ...view, ...(view.budget && { budget: { ...view.budget, ...uses[0] } }) }
  })

/** After the deadline the ended set may have forgotten the task's handles, and what ended later does not count. */
export async function viewOf(
  deps: Pick<TaskDeps, 'trustLog' | 'tasks'>,
  now: number,
  task: Task,
  findHistory: FindHistory,
): Promise<TaskView> {
  const { id, owner, description, parentTaskId, deadline, createdAt, handle, dependsOn, budget } = task
  const handles = [handle, ...dependsOn]
  const isPast = deadline <= now
  const hasEnded = !isPast && !stands(deps.trustLog.ended, handles)
  const ending = hasEnded || isPast ? await findHistory(handles, deadline) : undefined
  const state = hasEnded || ending ? 'ended' : isPast ? 'expired' : (await isPaused(deps, task)) ? 'paused' : 'active'
  return {
    taskId: id,
    owner,
    description,
    parentTaskId,
    deadline,
    createdAt,
    ...(budget && { budget: { limit: budget } }),
    state,
    handles,
    ...ending,
  }
}

const isPaused = async (deps: Pick<TaskDeps, 'tasks'>, task: Task): Promise<boolean> =>
  taskForTokens(task, await ancestorsOf(deps, task)).isPaused
