import type { Command } from 'commander'
import { refuse } from '../../errors.js'
import { type CommonFlags, call, listOptions } from '../context.js'

interface LimitsFlags extends CommonFlags {
  readonly organisation?: string
}

/** `credence limits …`: rates and quotas of an organisation. */
export function limitsCommands(program: Command, common: (command: Command) => Command): void {
  const limits = program
    .command('limits')
    .description('show and narrow the rates and quotas of an organisation (administrators, operators)')
  const add = (usage: string) =>
    common(limits.command(usage)).option('--organisation <orgId>', "organisation (operators; default: the profile's own)")
  add('show')
    .description('show the limits in force and the most that may be set')
    .action(({ organisation, ...flags }: LimitsFlags) => call(flags, 'query', 'limits.get', { organisation }))
  add('set [limits...]')
    .description('replace the limits that were set, as <name>=<number>; limits that are not named are reset')
    .action((values: readonly string[], { organisation, ...flags }: LimitsFlags) =>
      call(flags, 'mutate', 'limits.set', { organisation, limits: Object.fromEntries(values.map(limitOf)) }),
    )
  listOptions(add('usage'))
    .description('show how much of the limits is used, by agent')
    .action(({ organisation, ...flags }: LimitsFlags) => call(flags, 'query', 'limits.usage', { organisation }))
}

function limitOf(text: string): readonly [string, number] {
  const [, name = '', number] =
    /^([a-zA-Z]+)=(\d+)$/.exec(text) ?? refuse('bad_input', `${text}: expected <name>=<number>, such as openTasks=100`)
  return [name, Number(number)]
}
