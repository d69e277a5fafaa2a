import type { Command } from 'commander'
import type { LevelView } from '../../../identity/levels/list.js'
import { type CommonFlags, call, type ListFlags, openAgent, showOptions } from '../../context.js'
import { type ListView, list } from '../../lists/list.js'
import { orgIdOf } from '../../names.js'
import { type CeilingFlags, ceilingOfFlags, ceilingOptions } from '../agent.js'

const LEVELS: ListView<LevelView> = {
  path: 'levels.list',
  columns: [
    { name: 'name', value: ({ name }) => name },
    { name: 'rights', value: ({ ceiling }) => ceiling.rights.length },
    { name: 'tools', value: ({ ceiling }) => ceiling.tools },
    { name: 'resources', value: ({ ceiling }) => ceiling.resources },
    { name: 'depth', value: ({ ceiling }) => ceiling.delegationDepth },
    { name: 'changed', value: ({ changedAt }) => changedAt, kind: 'time' },
  ],
  fields: { name: true, ceiling: true, changedAt: true },
}

interface OrgFlags {
  readonly org?: string
}

/** `credence level …`. */
export function levelCommands(program: Command, common: (command: Command) => Command): void {
  const level = program.command('level').description('named ceilings of the organisation, within which the agents that name one stay')
  orgOption(ceilingOptions(common(level.command('set <name>'))))
    .description('create a level or replace its ceiling, which ends the tokens of the agents that use it')
    .action(async (name: string, { org, ...flags }: CommonFlags & CeilingFlags & OrgFlags) =>
      call(flags, 'mutate', 'levels.set', { name, ceiling: await ceilingOfFlags(flags), ...(await orgOf(flags, org)) }),
    )
  orgOption(showOptions(level.command('list')))
    .description('list the levels of the organisation')
    .action(async ({ org, ...flags }: ListFlags & OrgFlags) => list(flags, LEVELS, await orgOf(flags, org)))
  orgOption(common(level.command('remove <name>')))
    .description('remove a level that no agent uses')
    .action(async (name: string, { org, ...flags }: CommonFlags & OrgFlags) =>
      call(flags, 'mutate', 'levels.remove', { name, ...(await orgOf(flags, org)) }),
    )
}

const orgOption = (command: Command): Command =>
  command.option('--org <organisation>', 'organisation, by id or name (operators; default: their own)')

const orgOf = async (flags: CommonFlags, org: string | undefined): Promise<{ readonly orgId?: string }> =>
  org === undefined ? {} : { orgId: await orgIdOf((await openAgent(flags)).agent, org) }
