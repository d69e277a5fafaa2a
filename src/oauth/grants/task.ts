import { isTaskStanding, requireTaskToWorkUnder, type TaskDeps } from '../../delegation/tasks/authority.js'
import { ancestorsOf } from '../../delegation/tasks/find.js'
import { DEFAULT_TASK_SECONDS, newTask } from '../../delegation/tasks/new-task.js'
import type { Task } from '../../delegation/tasks/store.js'
import { type TaskDependencies, taskForTokens } from '../../delegation/tasks/task-dependencies.js'
import { isRefusal, refuse } from '../../errors.js'
import type { Client } from '../../identity/clients/client.js'
import { identitiesOf } from '../../protocol/handles.js'
import { Audience, type ClientId, type MemberId, TaskId } from '../../protocol/ids.js'
import { scopesFor } from '../../protocol/rights.js'
import { stands } from '../../protocol/standing.js'
import type { Operation } from '../../storage/storage.js'
import type { Ended } from '../../trust-log/trust-log.js'
import type { AuthenticatedClient } from '../client-auth/client-auth.js'

/** The task that a request names. The parameters `task_id`, `task_description` and `parent_task_id`. */
export interface TaskParameters {
  /** The id of a task, or the client's own reference. */
  readonly taskId?: string | undefined
  readonly taskDescription?: string | undefined
  /** An id or a reference, too. */
  readonly parentTaskId?: string | undefined
}

/** The task of a request, if there is one that the client may mean. */
interface RequestedTask {
  readonly task?: TaskDependencies | undefined
  readonly creation?: TaskCreation | undefined
}

/** A task that is created together with its first token. */
export interface TaskCreation {
  readonly task: Task
  /** Gives it its reference. */
  readonly naming: readonly Operation[]
}

type TaskGrantDeps = Pick<TaskDeps, 'tasks' | 'isCalledFor' | 'random'> & {
  readonly trustLog: TaskDeps['trustLog']
  readonly issuer: string
  readonly requireCreation: (client: Client) => Promise<void>
  readonly findTask: (taskId: TaskId) => Promise<TaskDependencies | undefined>
}

interface TaskContext {
  readonly authenticated: AuthenticatedClient
  /** The task of the subject token. */
  readonly subjectTask?: TaskId | undefined
  /** The person for whom the client acts. The client may work under its tasks. */
  readonly person?: MemberId | undefined
  readonly now: number
}

/**
 * Finds the task that a request names, or prepares a new one: a reference that no task of the client has, or a description alone, creates one. A new
 * task is a child of `parent_task_id`, or else of the task of the subject token.
 */
export async function findRequestedTask(
  deps: TaskGrantDeps,
  { taskId, taskDescription, parentTaskId }: TaskParameters,
  { authenticated, subjectTask, person, now }: TaskContext,
): Promise<RequestedTask | undefined> {
  const owner = authenticated.client.id
  const id = TaskId.safeParse(taskId)
  if (id.success) return { task: requireParent(await deps.findTask(id.data), parentTaskId && (await idOf(deps, owner, parentTaskId))) }
  const named = taskId === undefined ? undefined : await deps.tasks.named.get(nameOf(owner, taskId))
  const known = named && (await findStanding(deps, named.taskId, now))
  if (known) return { task: requireParent(known, parentTaskId && (await idOf(deps, owner, parentTaskId))) }
  if (taskDescription === undefined) {
    if (taskId === undefined && parentTaskId === undefined)
      return subjectTask === undefined ? undefined : { task: await deps.findTask(subjectTask) }
    return refuse('invalid_request', 'you have no task with this reference: send task_description to create one, or the id of a task')
  }
  await requireMayCreate(deps, authenticated.client)
  const parentId = parentTaskId === undefined ? subjectTask : await idOf(deps, owner, parentTaskId)
  const parent = parentId === undefined ? undefined : await requireParentTask(deps, [owner, ...(person ? [person] : [])], parentId, now)
  const { client, key } = authenticated
  const identities = [...identitiesOf(client.dependencies.handles), key.handle]
  const task = newTask(deps, {
    owner: { id: owner, orgId: client.orgId, identities },
    description: taskDescription,
    parent,
    deadline: now + DEFAULT_TASK_SECONDS,
    reference: taskId,
    now,
  })
  const naming = taskId === undefined ? [] : [namingOf(deps, task, taskId, named?.taskId)]
  return {
    task: taskForTokens(task, parent ? [parent, ...(await ancestorsOf(deps, parent))] : []),
    creation: { task, naming },
  }
}

async function requireMayCreate({ issuer, requireCreation }: TaskGrantDeps, client: Client): Promise<void> {
  const own: readonly string[] = scopesFor(client.ceiling.rights, Audience.parse(issuer))
  if (!own.includes('tasks:write')) refuse('invalid_scope', 'a new task needs the scope tasks:write in the ceiling of the client')
  await requireCreation(client)
}

const nameOf = (owner: ClientId, reference: string): string => `${owner} ${reference}`

/** The task, unless it has ended. */
async function findStanding(deps: TaskGrantDeps, taskId: TaskId, now: number): Promise<TaskDependencies | undefined> {
  const task = await deps.tasks.get(taskId)
  return task && isTaskStanding(deps, task, now) ? deps.findTask(task.id) : undefined
}

async function idOf(deps: TaskGrantDeps, owner: ClientId, idOrReference: string): Promise<TaskId> {
  const id = TaskId.safeParse(idOrReference)
  const taskId = id.success ? id.data : (await deps.tasks.named.get(nameOf(owner, idOrReference)))?.taskId
  return taskId ?? refuse('invalid_request', 'parent_task_id: you have no task with this reference')
}

const refuseParent = (): never =>
  refuse('invalid_request', 'parent_task_id must be the parent of the task: a task that you own or are called for, and that has not ended')

const requireParent = (task: TaskDependencies | undefined, parent: TaskId | undefined | ''): TaskDependencies | undefined =>
  parent === undefined || parent === '' || task?.ancestors[0] === parent ? task : refuseParent()

async function requireParentTask(deps: TaskGrantDeps, owners: readonly ClientId[], id: TaskId, now: number): Promise<Task> {
  for (const owner of owners) {
    const parent = await requireTaskToWorkUnder(deps, { id: owner }, id).catch((error: unknown) => {
      if (!isRefusal(error)) throw error
      return undefined
    })
    if (parent && isTaskStanding(deps, parent, now)) return parent
  }
  return refuseParent()
}

/**
 * Gives the task its reference, in place of the earlier task that was found to have ended. Of two creations with one reference at the same time, one
 * succeeds.
 */
function namingOf({ tasks: { named } }: TaskGrantDeps, task: Task, reference: string, earlier: TaskId | undefined): Operation {
  const id = nameOf(task.owner, reference)
  const fields = { taskId: task.id, expiresAt: task.deadline }
  return earlier ? named.changing(id, { taskId: earlier }, fields) : named.inserting({ id, owner: task.owner, ...fields })
}

const MAX_ATTEMPTS = 20

/**
 * Repeats a grant that a concurrent request has overtaken: by a task with the same reference, which the next attempt finds, or by taking a part of
 * the budget, of which the next attempt takes the rest.
 */
export async function withRetries<T>(attempt: () => Promise<T | 'retry'>): Promise<T> {
  for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
    const outcome = await attempt()
    if (outcome !== 'retry') return outcome
  }
  return refuse('unavailable', 'too many concurrent changes: try again in a second', { retryAfterSeconds: 1 })
}

/** The tasks that bound a token request. */
interface TaskBounds {
  readonly presenter: ClientId
  /** The person for whom the presenter acts. */
  readonly person?: MemberId | undefined
  /** The task of the subject token. */
  readonly subjectTask?: TaskId | undefined
  /** The task that the introduction was requested for. */
  readonly introductionTask?: TaskId | undefined
  /** The task that the person has consented for. */
  readonly consentTask?: TaskId | undefined
}

/**
 * Requires the subject token's task or a descendant of it that the presenter created; without a task in the subject token, any task of the
 * presenter or of the person for whom it acts. If the introduction or the consent names a task, it must be that one or a descendant. The task must
 * stand.
 */
export function requireTask(
  ended: Ended,
  requested: RequestedTask | undefined,
  { presenter, person, subjectTask, introductionTask, consentTask }: TaskBounds,
): TaskDependencies | undefined {
  const stepTasks = [
    ...(introductionTask === undefined ? [] : [{ name: 'introduction', id: introductionTask }]),
    ...(consentTask === undefined ? [] : [{ name: 'consent', id: consentTask }]),
  ]
  if (requested === undefined) {
    const [bound] = stepTasks
    if (bound === undefined) return undefined
    return refuse('invalid_request', `the ${bound.name} is only for the task ${bound.id}: send task_id with this task or a child of it`)
  }
  const { task } = requested
  const isOfSubject = task !== undefined && task.id === subjectTask
  const isOwn =
    task !== undefined &&
    (task.owner === presenter || task.owner === person) &&
    (subjectTask === undefined || task.ancestors.includes(subjectTask))
  if (!task || !(isOfSubject || isOwn) || !stands(ended, task.dependencies.handles))
    return refuse(
      'invalid_request',
      'the task must be that of the subject token, or a child task of it that you created, and must not have ended',
    )
  if (task.isPaused) refuse('invalid_request', 'the task or a parent of it is paused: its owner can resume it (tasks.resume)')
  for (const { name, id } of stepTasks)
    if (![task.id, ...task.ancestors].includes(id)) refuse('invalid_request', `the ${name} is only for the task ${id} and its child tasks`)
  return task
}
