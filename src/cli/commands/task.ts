import type { Command } from 'commander'
import { type CommonFlags, call, endingOptions, listOptions, openAgent, secondsOf } from '../context.js'
import { print } from '../output.js'

interface CreateFlags extends CommonFlags {
  readonly parent?: string
  readonly life: string
}

/** `credence task …`. */
export function taskCommands(program: Command, common: (command: Command) => Command): void {
  const task = program.command('task').description('create, list, show and end tasks')
  common(task.command('create <description>'))
    .description('create a task, the purpose for which tokens are issued')
    .option('--parent <taskId>', 'parent task; the new task ends with it')
    .option('--life <duration>', 'time until the deadline, such as 1h', '1h')
    .action(async (description: string, flags: CreateFlags) => {
      const { agent } = await openAgent(flags)
      const parent = flags.parent === undefined ? {} : { parentTaskId: flags.parent }
      print(flags, await agent.tasks.create({ description, seconds: secondsOf(flags.life), ...parent }))
    })
  listOptions(common(task.command('list')))
    .description('list the tasks of this agent, or of the organisation of this member, newest first')
    .action((flags: CommonFlags) => call(flags, 'query', 'tasks.list', {}))
  common(task.command('show <taskId>'))
    .description('show one task')
    .action((taskId: string, flags: CommonFlags) => call(flags, 'query', 'tasks.get', { taskId }))
  endingOptions(common(task.command('end <taskId>')))
    .description('end a task with its child tasks and every token issued for them')
    .action((taskId: string, flags: CommonFlags) => call(flags, 'mutate', 'tasks.end', { taskId }))
}
