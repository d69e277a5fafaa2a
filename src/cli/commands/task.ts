import type { Command } from 'commander'
import type { TaskView } from '../../delegation/tasks/get.js'
import {
  type CommonFlags,
  call,
  definedIn,
  endingOptions,
  type ListFlags,
  listOptions,
  openAgent,
  secondsOf,
  showOptions,
  wholeNumber,
} from '../context.js'
import { callEnding } from '../endings/confirm.js'
import { endingOfTask } from '../endings/describe.js'
import { type ListView, printList, readOf, showOne } from '../lists/list.js'
import { mapped } from '../lists/merged.js'
import { newNames } from '../names.js'
import { print } from '../output.js'

interface ListedTask extends TaskView {
  readonly ownerName?: string | undefined
}

const TASKS: ListView<ListedTask> = {
  path: 'tasks.list',
  columns: [
    { name: 'id', value: ({ taskId }) => taskId, kind: 'id' },
    { name: 'state', value: ({ state }) => state, kind: 'state' },
    { name: 'description', value: ({ description }) => description },
    { name: 'created', value: ({ createdAt }) => createdAt, kind: 'time' },
    { name: 'deadline', value: ({ deadline }) => deadline, kind: 'time' },
    { name: 'owner', value: ({ owner, ownerName }) => ownerName ?? owner },
    { name: 'parent', value: ({ parentTaskId }) => parentTaskId, kind: 'id' },
    { name: 'ended', value: ({ endedAt }) => endedAt, kind: 'time' },
    { name: 'ownerId', value: ({ owner }) => owner, kind: 'detail' },
  ],
  fields: {
    taskId: true,
    owner: true,
    ownerName: true,
    description: true,
    parentTaskId: true,
    deadline: true,
    createdAt: true,
    budget: true,
    state: true,
    handles: true,
    endedAt: true,
    endedBy: true,
    reason: true,
    note: true,
  },
}

interface CreateFlags extends CommonFlags {
  readonly parent?: string
  readonly life: string
  readonly calls?: number
  readonly units?: number
}

/** `credence task …`. */
export function taskCommands(program: Command, common: (command: Command) => Command): void {
  const task = program.command('task').description('create, list, show, pause, resume and end tasks')
  common(task.command('create <description>'))
    .description('create a task, the purpose for which tokens are issued')
    .option('--parent <taskId>', 'parent task; the new task ends with it')
    .option('--life <duration>', 'time until the deadline, such as 1h', '1h')
    .option('--calls <n>', 'maximum number of calls with the tokens of the task and its child tasks', wholeNumber)
    .option('--units <n>', 'maximum cost of these calls, in the units of the resources that are called', wholeNumber)
    .action(async (description: string, flags: CreateFlags) => {
      const { agent } = await openAgent(flags)
      const { parent, calls, units } = flags
      const budget = calls === undefined && units === undefined ? {} : { budget: definedIn({ calls, units }) }
      const input = { description, seconds: secondsOf(flags.life), ...(parent !== undefined && { parentTaskId: parent }), ...budget }
      print(flags, await agent.tasks.create(input))
    })
  listOptions(task.command('list'))
    .description('list the tasks of this agent, or of the organisation of this member, newest first')
    .action(async (flags: ListFlags) => {
      const { agent } = await openAgent(flags)
      const nameOf = newNames(agent)
      const read = readOf<TaskView>(agent, TASKS, { cursor: flags.cursor })
      return printList(
        flags,
        TASKS,
        mapped(read, async (task) => ({ ...task, ownerName: await nameOf(task.owner) })),
      )
    })
  showOptions(task.command('show <taskId>'))
    .description('show one task')
    .action((taskId: string, flags: CommonFlags) => showOne(flags, 'tasks.get', { taskId }, TASKS))
  common(task.command('pause <taskId>'))
    .description('end the tokens of a task and of its child tasks, and issue no new ones until it is resumed')
    .action((taskId: string, flags: CommonFlags) => call(flags, 'mutate', 'tasks.pause', { taskId }))
  common(task.command('resume <taskId>'))
    .description('let a paused task have tokens again')
    .action((taskId: string, flags: CommonFlags) => call(flags, 'mutate', 'tasks.resume', { taskId }))
  endingOptions(common(task.command('end <taskId>')))
    .description('end a task with its child tasks and every token issued for them')
    .action((taskId: string, flags: CommonFlags) =>
      callEnding(flags, 'tasks.end', { inputOf: async () => ({ taskId }), describe: endingOfTask }),
    )
}
