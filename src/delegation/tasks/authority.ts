import type { Audit } from '../../audit/audit.js'
import { refuse } from '../../errors.js'
import { type Caller, maySee } from '../../http/caller.js'
import type { CountedCommit } from '../../identity/limits/quota.js'
import type { Random } from '../../lib/random.js'
import { AgentId, type TaskId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import type { Storage } from '../../storage/storage.js'
import type { Committed, TrustLog } from '../../trust-log/trust-log.js'
import type { Task, TasksStore } from './store.js'

export interface TaskDeps {
  readonly tasks: TasksStore
  readonly storage: Pick<Storage, 'count'>
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
  /** True if the agent is the audience of a valid token of the task. Such an agent may create child tasks. */
  readonly isCalledFor: (agentId: AgentId, taskId: TaskId) => Promise<boolean>
  /** Commits the creation of a task that counts for the caller. */
  readonly commitTask: (owner: Pick<Caller, 'kind' | 'id' | 'orgId'>, commit: CountedCommit) => Promise<Committed>
}

/** Returns the task to its owner and to members of the owner's organisation, and to operators. Other callers get the same refusal as for an unknown id. */
export async function requireTask(deps: Pick<TaskDeps, 'tasks'>, caller: Caller, id: TaskId): Promise<Task> {
  const task = await deps.tasks.get(id)
  return task && (task.owner === caller.id || maySee(caller, task.orgId)) ? task : refuse('not_found', 'no such task')
}

/** Returns the task to its owner and to an agent that is being called for it. Others get the same refusal as for an unknown id. */
export async function requireTaskToWorkUnder(
  deps: Pick<TaskDeps, 'tasks' | 'isCalledFor'>,
  caller: Pick<Caller, 'id'>,
  id: TaskId,
): Promise<Task> {
  const task = await deps.tasks.get(id)
  const agent = AgentId.safeParse(caller.id)
  const worksUnder = task?.owner === caller.id || (task !== undefined && agent.success && (await deps.isCalledFor(agent.data, id)))
  return task && worksUnder ? task : refuse('not_found', 'no such task')
}

/** False for a task that has ended, an ancestor of which has ended, whose deadline has passed, or that no longer exists. */
export const isTaskStanding = ({ trustLog }: Pick<TaskDeps, 'trustLog'>, task: Task | undefined, now: number): boolean =>
  task !== undefined && task.deadline > now && stands(trustLog.ended, [task.handle, ...task.dependsOn])

/** Refuses a task that does not stand. */
export function requireStanding(deps: Pick<TaskDeps, 'trustLog'>, task: Task | undefined, now: number): void {
  if (!isTaskStanding(deps, task, now)) refuse('already_ended', 'the task has ended, or its deadline has passed')
}
