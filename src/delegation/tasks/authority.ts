import type { Audit } from '../../audit/audit.js'
import { refuse } from '../../errors.js'
import { type Caller, isMemberOf } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import type { AgentId, TaskId } from '../../protocol/ids.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Task, TasksStore } from './store.js'

/** What the operations on tasks are made of. */
export interface TaskDeps {
  readonly tasks: TasksStore
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
  /** Whether an agent is being called for a task: the audience of a token of it. Such an agent may declare children. */
  readonly isCalledFor: (agentId: AgentId, taskId: TaskId) => Promise<boolean>
}

/** The task, for its owner and the people of its organisation. To others there is none. */
export async function requireTask(deps: Pick<TaskDeps, 'tasks'>, caller: Caller, id: TaskId): Promise<Task> {
  const task = await deps.tasks.get(id)
  return task && (task.owner === caller.id || isMemberOf(caller, task.orgId)) ? task : refuse('not_found', 'no such task')
}
