import { refuse } from '../../errors.js'
import type { Random } from '../../lib/random.js'
import { type Handle, newHandle } from '../../protocol/handles.js'
import { type ClientId, newId, type OrgId } from '../../protocol/ids.js'
import { dependenciesOf, joinDependencies } from '../../protocol/standing.js'
import { dependenciesToStore } from '../../trust-log/horizon-rule.js'
import type { Budget } from '../budgets/budget.js'
import { MAX_TASK_DEPTH, type Task } from './store.js'
import { dependenciesOfTask } from './task-dependencies.js'

export const DEFAULT_TASK_SECONDS = 3600

interface NewTask {
  readonly owner: { readonly id: ClientId; readonly orgId: OrgId; readonly identities: readonly Handle[] }
  readonly description: string
  readonly parent: Task | undefined
  /** Epoch seconds. A later one than the parent's is limited to that. */
  readonly deadline: number
  readonly reference?: string | undefined
  readonly budget?: Budget | undefined
  readonly now: number
}

/** A new task. It depends on its ancestors and on the identities of its owner. */
export function newTask(
  { random }: { readonly random: Random },
  { owner, description, parent, deadline, reference, budget, now }: NewTask,
): Task {
  const bounded = Math.min(deadline, parent?.deadline ?? Number.POSITIVE_INFINITY)
  if (bounded <= now)
    refuse('bad_input', 'the parent task is past its deadline', { faults: [{ pointer: '/parentTaskId', hint: 'its deadline has passed' }] })
  const ancestors = parent ? [parent.id, ...parent.ancestors] : []
  if (ancestors.length > MAX_TASK_DEPTH) refuse('bad_input', `a task may have at most ${MAX_TASK_DEPTH} ancestors`)
  const identities = owner.identities.filter((handle) => !handle.startsWith('key:'))
  const dependencies = joinDependencies(...(parent ? [dependenciesOfTask(parent)] : []), dependenciesOf(identities))
  return {
    id: newId(random, 'tsk'),
    owner: owner.id,
    orgId: owner.orgId,
    handle: newHandle(random, 'tsk'),
    stateVer: newHandle(random, 'ver'),
    ancestors,
    ...(parent && { parentTaskId: parent.id }),
    dependsOn: dependenciesToStore(dependencies, { now, expiresAt: bounded }),
    description,
    ...(reference !== undefined && { reference }),
    ...(budget && { budget }),
    deadline: bounded,
    grantedBy: [...owner.identities],
    isOpen: true,
    createdAt: now,
  }
}
