import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { identitiesOf } from '../../protocol/handles.js'
import type { TaskId } from '../../protocol/ids.js'
import { type Budget, requireWithinBudgets } from '../budgets/budget.js'
import { requireTaskToWorkUnder, type TaskDeps } from './authority.js'
import { ancestorsOf } from './find.js'
import { DEFAULT_TASK_SECONDS, newTask } from './new-task.js'

interface TaskInput {
  readonly description: string
  readonly parentTaskId?: TaskId | undefined
  /** Epoch seconds. */
  readonly deadline?: number | undefined
  readonly budget?: Budget | undefined
}

const MAX_TASK_SECONDS = 30 * 86_400

/** Creates a task. A child task ends with its parent; its deadline is never later than the parent's, and its budget never larger. */
export async function createTask(deps: TaskDeps, caller: Caller, input: TaskInput): Promise<{ taskId: TaskId; deadline: number }> {
  const { now } = caller.barrier
  const parent = input.parentTaskId === undefined ? undefined : await requireTaskToWorkUnder(deps, caller, input.parentTaskId)
  if (input.budget && parent) requireWithinBudgets(input.budget, [parent, ...(await ancestorsOf(deps, parent))])
  const deadline = input.deadline ?? now + DEFAULT_TASK_SECONDS
  if (deadline <= now || deadline > now + MAX_TASK_SECONDS)
    refuse('bad_input', 'the deadline is in the past, or more than 30 days away', {
      faults: [{ pointer: '/deadline', hint: 'epoch seconds, in the future and at most 30 days from now' }],
    })
  const owner = { id: caller.id, orgId: caller.orgId, identities: identitiesOf(caller.identities) }
  const task = newTask(deps, { owner, description: input.description, parent, deadline, budget: input.budget, now })
  const { outcome } = await deps.commitTask(caller, (counting) =>
    deps.trustLog.commit({
      type: 'task.created',
      dependsOn: [...task.dependsOn, ...identitiesOf(caller.dependencies.handles)],
      operations: [
        ...counting,
        deps.tasks.inserting(task),
        deps.audit.recording(auditDraft(caller, 'tasks.create', { subject: task.id, taskId: task.id })),
      ],
    }),
  )
  return outcome === 'committed'
    ? { taskId: task.id, deadline: task.deadline }
    : refuse('conflict', 'the parent task was ended, or your own access was revoked, concurrently')
}
