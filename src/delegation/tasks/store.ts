import { z } from 'zod'
import type { Random } from '../../lib/random.js'
import { Handle } from '../../protocol/handles.js'
import { ClientId, EntryId, OrgId, TaskId } from '../../protocol/ids.js'
import type { Storage } from '../../storage/storage.js'
import { newRecords, type Records } from '../../trust-log/records/records.js'
import type { TrustLog } from '../../trust-log/trust-log.js'

export const MAX_TASK_DEPTH = 16

/** What work is for: declared by who delegates, ended by its owner; what stands on it dies with it. */
export const Task = z.strictObject({
  id: TaskId,
  owner: ClientId,
  orgId: OrgId,
  /** `tsk:`, with the deadline as its horizon. */
  handle: Handle,
  /** Ancestors, nearest first, and their handles. */
  parents: z.array(TaskId).max(MAX_TASK_DEPTH),
  parent: TaskId.optional(),
  /** `tsk:` of the ancestors and identities of its owner. */
  dependsOn: z.array(Handle).max(64),
  description: z.string().max(1024),
  deadline: z.int(),
  grantedBy: z.array(Handle).max(16),
  at: z.int(),
  hidden: EntryId.optional(),
  nextEntry: EntryId.optional(),
  next: z.record(z.string(), z.unknown()).optional(),
})
export type Task = z.infer<typeof Task>

export type TasksStore = Records<Task>

export const tasksStore = (deps: { storage: Storage; trustLog: TrustLog; random: Random }): TasksStore =>
  newRecords(
    deps,
    deps.storage.collection<Task>({
      name: 'tasks',
      schema: Task,
      key: 'id',
      indexes: {
        owner: { fields: ['owner', 'at'] },
        organisation: { fields: ['orgId', 'at'] },
        parents: { fields: ['parents', 'at'] },
        grantedBy: { fields: ['grantedBy', 'at'] },
      },
    }),
    { kind: 'tasks', versions: () => [] },
  )
