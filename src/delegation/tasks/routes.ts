import { z } from 'zod'
import { PageInput } from '../../http/paging.js'
import { creationFor, procedureFor, router } from '../../http/trpc/procedures.js'
import { REVOCATION_INPUT } from '../../protocol/end-reason.js'
import { TaskId } from '../../protocol/ids.js'
import { BudgetInput } from '../budgets/budget.js'
import { createTask } from './create.js'
import { endTask } from './end.js'
import { getTask } from './get.js'
import { type ListTasksDeps, listTasks, TASK_STATES } from './list.js'
import { pauseTask, resumeTask, type TaskPaused } from './pause.js'

const ById = z.strictObject({ taskId: TaskId })

export const tasksRoutes = (deps: ListTasksDeps) =>
  router({
    create: creationFor('tasks:write')
      .input(
        z.strictObject({
          description: z.string().trim().min(1).max(1024),
          parentTaskId: TaskId.optional(),
          deadline: z.int().min(0).optional(),
          budget: BudgetInput.optional(),
        }),
      )
      .mutation(({ ctx, input }) => createTask(deps, ctx.caller, input)),
    get: procedureFor('tasks:write')
      .input(ById)
      .query(({ ctx, input }) => getTask(deps, ctx.caller, input.taskId)),
    list: procedureFor('tasks:write')
      .input(
        PageInput.extend({
          state: z.enum(TASK_STATES).optional(),
          under: TaskId.describe('Only the child tasks of this task, and theirs.').optional(),
        }).prefault({}),
      )
      .query(({ ctx, input }) => listTasks(deps, ctx.caller, input)),
    pause: procedureFor('tasks:write')
      .input(ById)
      .mutation(({ ctx, input }): Promise<TaskPaused> => pauseTask(deps, ctx.caller, input.taskId)),
    resume: procedureFor('tasks:write')
      .input(ById)
      .mutation(({ ctx, input }): Promise<TaskPaused> => resumeTask(deps, ctx.caller, input.taskId)),
    end: procedureFor('tasks:write')
      .input(ById.extend(REVOCATION_INPUT))
      .mutation(({ ctx, input: { taskId, ...because } }) => endTask(deps, ctx.caller, taskId, because)),
  })
