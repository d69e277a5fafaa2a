import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import { type Caller, mayOversee } from '../../http/caller.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import type { TaskId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import { requireTask, type TaskDeps } from './authority.js'
import { endingOfTask } from './find.js'
import type { Task } from './store.js'

/**
 * Finds the tasks among `ids` that have not ended. Refuses with `not_found`, as for an unknown id, unless the caller may end all of them: as their owner,
 * an administrator of the owner's organisation, or an operator.
 */
export async function requireMayEnd(
  { tasks, trustLog }: Pick<TaskDeps, 'tasks' | 'trustLog'>,
  caller: Pick<Caller, 'id' | 'kind' | 'orgId' | 'role'>,
  ids: readonly TaskId[],
  now: number,
): Promise<readonly Task[]> {
  const found = await Promise.all(ids.map((id) => tasks.get(id)))
  return found
    .map((task) => (task && (task.owner === caller.id || mayOversee(caller, task.orgId)) ? task : refuse('not_found', 'no such task')))
    .filter(({ handle, deadline }) => deadline > now && !trustLog.ended.has(handle))
}

/** Ends a task, its descendants and every token issued for them, with one log entry. */
export async function endTask(deps: TaskDeps, caller: Caller, id: TaskId, because: RevocationReason): Promise<{ position: Position }> {
  const task = await requireTask(deps, caller, id)
  if (task.owner !== caller.id && !mayOversee(caller, task.orgId))
    refuse('forbidden', 'only the owner of a task or an administrator of its organisation can end it')
  if (deps.trustLog.ended.has(task.handle) || task.deadline <= caller.barrier.now)
    refuse('already_ended', 'the task has already ended, or its deadline has passed')
  const ends = [endingOfTask(task)]
  const draft = auditDraft(caller, 'tasks.end', { orgId: task.orgId, subject: id, taskId: id })
  return deps.trustLog.end({ type: 'task.ended', ends, operations: deps.audit.recordingEnd(draft, { ends, ...because }) })
}
