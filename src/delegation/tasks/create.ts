import { auditRow } from '../../audit/audit-row.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { distinct, identitiesOf, newHandle } from '../../protocol/handles.js'
import { AgentId, newId, type TaskId } from '../../protocol/ids.js'
import type { TaskDeps } from './authority.js'
import { MAX_TASK_DEPTH, type Task } from './store.js'

export interface TaskInput {
  readonly description: string
  readonly parentTaskId?: TaskId | undefined
  /** Epoch seconds. */
  readonly deadline?: number | undefined
}

const DEFAULT_SECONDS = 3600
const MAX_SECONDS = 30 * 86_400

/** Declares what work is for. A child ends with its parent, and not later. */
export async function createTask(deps: TaskDeps, caller: Caller, input: TaskInput): Promise<{ taskId: TaskId; deadline: number }> {
  const { now } = await deps.trustLog.readBarrier()
  const parent = input.parentTaskId === undefined ? undefined : await requireParent(deps, caller, input.parentTaskId)
  const wanted = input.deadline ?? now + DEFAULT_SECONDS
  if (wanted <= now || wanted > now + MAX_SECONDS)
    refuse('bad_input', 'the deadline is in the past, or more than 30 days away', {
      faults: [{ pointer: '/deadline', hint: 'epoch seconds, within 30 days from now' }],
    })
  const identities = identitiesOf(caller.identities).filter((handle) => !handle.startsWith('key:'))
  const task: Task = {
    id: newId(deps.random, 'tsk'),
    owner: caller.id,
    orgId: caller.orgId,
    handle: newHandle(deps.random, 'tsk'),
    parents: parent ? [parent.id, ...parent.parents] : [],
    ...(parent && { parent: parent.id }),
    dependsOn: distinct([...(parent ? [parent.handle, ...parent.dependsOn] : []), ...identities]),
    description: input.description,
    deadline: Math.min(wanted, parent?.deadline ?? Number.POSITIVE_INFINITY),
    grantedBy: [...caller.identities],
    at: now,
  }
  if (task.deadline <= now)
    refuse('bad_input', 'the parent task is past its deadline', { faults: [{ pointer: '/parentTaskId', hint: 'its deadline has passed' }] })
  const { outcome } = await deps.tasks.begin(task, {
    type: 'task.created',
    begins: [task.handle],
    dependsOn: [...task.dependsOn, ...identitiesOf(caller.dependencies.handles)],
    also: [deps.audit.recording(auditRow(caller, 'tasks.create', { subject: task.id, taskId: task.id }))],
  })
  return outcome === 'begun'
    ? { taskId: task.id, deadline: task.deadline }
    : refuse('conflict', 'the parent task, or what you stand on, has ended')
}

/** Its owner, or an agent that is called for it. To others there is none. */
async function requireParent(deps: TaskDeps, caller: Caller, id: TaskId): Promise<Task> {
  const task = await deps.tasks.get(id)
  const agent = AgentId.safeParse(caller.id)
  const isMine = task?.owner === caller.id || (task !== undefined && agent.success && (await deps.isCalledFor(agent.data, id)))
  if (!task || !isMine) return refuse('not_found', 'no such task')
  if (task.parents.length + 1 > MAX_TASK_DEPTH) refuse('bad_input', `tasks are nested ${MAX_TASK_DEPTH} deep at most`)
  return task
}
