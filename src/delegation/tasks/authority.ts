import type { Audit } from '../../audit/audit.js'
import { refuse } from '../../errors.js'
import { type Caller, isMemberOf } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import type { AgentId, TaskId } from '../../protocol/ids.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Task, TasksStore } from './store.js'

export interface TaskDeps {
  readonly tasks: TasksStore
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
  /** True if the agent is the audience of a valid token of the task. Such an agent may create child tasks. */
  readonly isCalledFor: (agentId: AgentId, taskId: TaskId) => Promise<boolean>
}

/** Returns the task to its owner and to members of the owner's organisation. Other callers get the same refusal as for an unknown id. */
export async function requireTask(deps: Pick<TaskDeps, 'tasks'>, caller: Caller, id: TaskId): Promise<Task> {
  const task = await deps.tasks.get(id)
  return task && (task.owner === caller.id || isMemberOf(caller, task.orgId)) ? task : refuse('not_found', 'no such task')
}
