import { z } from 'zod'
import { type ClientId, TaskId } from '../protocol/ids.js'
import { stands } from '../protocol/standing.js'
import { PageInput, pageOf, placeOf } from '../transport/paging.js'
import { procedureFor, router } from '../transport/trpc.js'
import { createTask, type TaskDeps } from './create.js'
import { endTask, requireTask } from './end.js'
import type { Task } from './store.js'

const ById = z.strictObject({ taskId: TaskId })

export const tasksRoutes = (deps: TaskDeps) =>
  router({
    create: procedureFor('tasks:write')
      .input(
        z.strictObject({
          description: z.string().trim().min(1).max(1024),
          parentTaskId: TaskId.optional(),
          deadline: z.int().min(0).optional(),
        }),
      )
      .mutation(({ ctx, input }) => createTask(deps, ctx.caller, input)),
    get: procedureFor('tasks:write')
      .input(ById)
      .query(({ ctx, input }) =>
        deps.trustLog.fenced(async ({ now }) => viewOf(deps, now, await requireTask(deps, ctx.caller, input.taskId))),
      ),
    /** One's own, newest first; people see those of their organisation. */
    list: procedureFor('tasks:write')
      .input(PageInput.prefault({}))
      .query(({ ctx: { caller }, input }) =>
        deps.trustLog.fenced(async ({ now }) => {
          const place = { order: 'down' as const, ...placeOf(input) }
          const page =
            caller.kind === 'member'
              ? await deps.tasks.collection.find('organisation', { where: { orgId: caller.orgId }, ...place })
              : await deps.tasks.collection.find('owner', { where: { owner: caller.id as ClientId }, ...place })
          return pageOf(page, (task) => (task.hidden === undefined ? viewOf(deps, now, task) : undefined))
        }),
      ),
    end: procedureFor('tasks:write')
      .input(ById)
      .mutation(({ ctx, input }) => endTask(deps, ctx.caller, input.taskId)),
  })

function viewOf({ trustLog }: TaskDeps, now: number, { id, owner, description, parent, deadline, at, handle, on }: Task) {
  const state = !stands(trustLog.ended, [handle, ...on]) ? ('ended' as const) : deadline <= now ? ('expired' as const) : ('active' as const)
  return { taskId: id, owner, description, parentTaskId: parent, deadline, createdAt: at, state }
}
