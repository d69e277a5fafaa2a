import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import { type Caller, mayOversee } from '../../http/caller.js'
import { identitiesOf, newHandle } from '../../protocol/handles.js'
import type { TaskId } from '../../protocol/ids.js'
import { requireStanding, requireTask, type TaskDeps } from './authority.js'

/** A task after a pause or a resumption. */
export interface TaskPaused {
  readonly taskId: TaskId
  readonly isPaused: boolean
}

/**
 * Pauses a task: the tokens of it and of its child tasks end, and there are no new ones until it is resumed. Introductions that are bound to it stay.
 * A task that is paused already stays paused.
 */
export const pauseTask = (deps: TaskDeps, caller: Caller, id: TaskId): Promise<TaskPaused> => setPaused(deps, caller, id, true)

/** Lets a paused task have tokens again. The tokens that the pause has ended stay ended. */
export const resumeTask = (deps: TaskDeps, caller: Caller, id: TaskId): Promise<TaskPaused> => setPaused(deps, caller, id, false)

async function setPaused(deps: TaskDeps, caller: Caller, id: TaskId, isPaused: boolean): Promise<TaskPaused> {
  const task = await requireTask(deps, caller, id)
  if (task.owner !== caller.id && !mayOversee(caller, task.orgId))
    refuse('forbidden', 'only the owner of a task or an administrator of its organisation can pause or resume it')
  requireStanding(deps, task, caller.barrier.now)
  if ((task.isPaused ?? false) === isPaused) return { taskId: id, isPaused }
  const { stateVer } = task
  const ends = isPaused && stateVer ? [{ handle: stateVer }] : []
  const draft = auditDraft(caller, isPaused ? 'tasks.pause' : 'tasks.resume', { orgId: task.orgId, subject: id, taskId: id })
  const { outcome } = await deps.trustLog.commit({
    type: 'record.changed',
    ends,
    dependsOn: [task.handle, ...identitiesOf(caller.dependencies.handles)],
    operations: [
      deps.tasks.changing(
        id,
        { stateVer: stateVer ?? null, isPaused: task.isPaused ?? null },
        isPaused ? { isPaused, stateVer: newHandle(deps.random, 'ver') } : { isPaused: undefined },
      ),
      ...deps.audit.recordingEnd(draft, { ends, reason: 'superseded' }),
    ],
  })
  return outcome === 'committed'
    ? { taskId: id, isPaused }
    : refuse('conflict', 'the task was paused, resumed or ended concurrently, or your access was revoked; read it and try again')
}
