import { z } from 'zod'
import { Handle } from '../../protocol/handles.js'
import { ClientId, OrgId, TaskId } from '../../protocol/ids.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'
import { Budget } from '../budgets/budget.js'

/** Maximum number of ancestors of a task. Creating a deeper child task is refused. */
export const MAX_TASK_DEPTH = 16

/** Printable text that is no task id. */
export const TaskReference = z
  .string()
  .min(1)
  .max(128)
  .refine((text) => !text.startsWith('tsk_') && !/[\p{C}\p{Zl}\p{Zp}]/u.test(text), 'must be printable text that does not begin with tsk_')

/** A task names the work that tokens are issued for. Its owner creates and ends it; everything that depends on its handle ends with it. */
export const Task = z.strictObject({
  id: TaskId,
  owner: ClientId,
  orgId: OrgId,
  /** Handle of kind `tsk:`. Its horizon is the deadline. */
  handle: Handle,
  /**
   * Version of its state, a handle of kind `ver:`, which tokens depend on. A pause ends it. Absent in a task of an earlier build that was never paused.
   */
  stateVer: Handle.optional(),
  isPaused: z.literal(true).optional(),
  /** Nearest first. */
  ancestors: z.array(TaskId).max(MAX_TASK_DEPTH),
  parentTaskId: TaskId.optional(),
  /** Handles of the ancestors, and the identities of the owner. */
  dependsOn: z.array(Handle).max(64),
  description: z.string().max(1024),
  /** The name that its owner gave it at the token endpoint. */
  reference: TaskReference.optional(),
  /** Bounds its tokens, and those of its child tasks. */
  budget: Budget.optional(),
  deadline: z.int(),
  grantedBy: z.array(Handle).max(16),
  /** Removed when a count finds that the task has ended, so that later counts skip it. */
  isOpen: z.literal(true).optional(),
  createdAt: z.int(),
})
export type Task = z.infer<typeof Task>

/** The task that a client means by a reference: the newest one with that name. */
const NamedTask = z.strictObject({
  /** `<client> <reference>`. */
  id: z.string().max(160),
  owner: ClientId,
  taskId: TaskId,
  /** The deadline of the task. */
  expiresAt: z.int(),
})
type NamedTask = z.infer<typeof NamedTask>

export interface TasksStore extends Collection<Task> {
  readonly named: Collection<NamedTask>
}

export const TASKS: OwnedSpec<Task> = {
  name: 'tasks',
  schema: Task,
  key: 'id',
  indexes: {
    owner: { fields: ['owner', 'createdAt'] },
    open: { fields: ['owner', 'isOpen', 'deadline'] },
    organisation: { fields: ['orgId', 'createdAt'] },
    ancestors: { fields: ['ancestors', 'createdAt'] },
    grantedBy: { fields: ['grantedBy', 'createdAt'] },
  },
  ownedBy: ['orgId'],
}

export const NAMED_TASKS: OwnedSpec<NamedTask> = {
  name: 'named-tasks',
  schema: NamedTask,
  key: 'id',
  indexes: {},
  expires: 'expiresAt',
  ownedBy: ['owner'],
}

export const tasksStore = ({ storage }: { readonly storage: Storage }): TasksStore => ({
  ...storage.collection(TASKS),
  named: storage.collection(NAMED_TASKS),
})
