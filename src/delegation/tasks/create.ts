import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { identitiesOf, newHandle } from '../../protocol/handles.js'
import { newId, type TaskId } from '../../protocol/ids.js'
import { dependenciesOf, joinDependencies } from '../../protocol/standing.js'
import { dependenciesToStore } from '../../trust-log/horizon-rule.js'
import { requireTaskToWorkUnder, type TaskDeps } from './authority.js'
import { MAX_TASK_DEPTH, type Task } from './store.js'
import { dependenciesOfTask } from './task-dependencies.js'

interface TaskInput {
  readonly description: string
  readonly parentTaskId?: TaskId | undefined
  /** Epoch seconds. */
  readonly deadline?: number | undefined
}

const DEFAULT_TASK_SECONDS = 3600
const MAX_TASK_SECONDS = 30 * 86_400

/** Creates a task. A child task ends with its parent, and its deadline is never later than the parent's. */
export async function createTask(deps: TaskDeps, caller: Caller, input: TaskInput): Promise<{ taskId: TaskId; deadline: number }> {
  const { now } = caller.barrier
  const parent = input.parentTaskId === undefined ? undefined : await requireParent(deps, caller, input.parentTaskId)
  const deadline = input.deadline ?? now + DEFAULT_TASK_SECONDS
  if (deadline <= now || deadline > now + MAX_TASK_SECONDS)
    refuse('bad_input', 'the deadline is in the past, or more than 30 days away', {
      faults: [{ pointer: '/deadline', hint: 'epoch seconds, in the future and at most 30 days from now' }],
    })
  const bounded = Math.min(deadline, parent?.deadline ?? Number.POSITIVE_INFINITY)
  if (bounded <= now)
    refuse('bad_input', 'the parent task is past its deadline', { faults: [{ pointer: '/parentTaskId', hint: 'its deadline has passed' }] })
  const identities = identitiesOf(caller.identities).filter((handle) => !handle.startsWith('key:'))
  const task: Task = {
    id: newId(deps.random, 'tsk'),
    owner: caller.id,
    orgId: caller.orgId,
    handle: newHandle(deps.random, 'tsk'),
    ancestors: parent ? [parent.id, ...parent.ancestors] : [],
    ...(parent && { parentTaskId: parent.id }),
    dependsOn: dependenciesToStore(joinDependencies(...(parent ? [dependenciesOfTask(parent)] : []), dependenciesOf(identities)), {
      now,
      expiresAt: bounded,
    }),
    description: input.description,
    deadline: bounded,
    grantedBy: [...caller.identities],
    isOpen: true,
    createdAt: now,
  }
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

async function requireParent(deps: TaskDeps, caller: Caller, id: TaskId): Promise<Task> {
  const task = await requireTaskToWorkUnder(deps, caller, id)
  if (task.ancestors.length + 1 > MAX_TASK_DEPTH) refuse('bad_input', `a task may have at most ${MAX_TASK_DEPTH} ancestors`)
  return task
}
