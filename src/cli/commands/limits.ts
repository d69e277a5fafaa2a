import type { Command } from 'commander'
import type { LimitsView } from '../../identity/limits/get.js'
import type { LimitsUsage } from '../../identity/limits/usage.js'
import { type CommonFlags, call, definedIn, type ListFlags, listOptions, openAgent, showOptions } from '../context.js'
import { refuseUsage } from '../errors.js'
import { type ListView, printList, readOf } from '../lists/list.js'
import { orgIdOf } from '../names.js'
import { print, printErrorLines, printTable } from '../output.js'

interface LimitsFlags extends CommonFlags {
  readonly organisation?: string
}

const USAGE: ListView<LimitsUsage['items'][number]> = {
  path: 'limits.usage',
  columns: [
    { name: 'id', value: ({ agentId }) => agentId, kind: 'id' },
    { name: 'name', value: ({ name }) => name },
    { name: 'openTasks', value: ({ openTasks }) => openTasks },
    { name: 'sockets', value: ({ sockets }) => sockets },
  ],
  fields: { agentId: true, name: true, openTasks: true, sockets: true },
}

/** `credence limits …`: rates and quotas of an organisation. */
export function limitsCommands(program: Command, common: (command: Command) => Command): void {
  const limits = program
    .command('limits')
    .description('show and narrow the rates and quotas of an organisation (administrators, operators)')
  const ofOrganisation = (command: Command) =>
    command.option('--organisation <organisation>', "organisation, by id or name (operators; default: the profile's own)")
  ofOrganisation(showOptions(limits.command('show')))
    .description('show the limits in force and the most that may be set')
    .action(showLimits)
  ofOrganisation(common(limits.command('set [limits...]')))
    .description('replace the limits that were set, as <name>=<number>; limits that are not named are reset')
    .action(async (values: readonly string[], { organisation, ...flags }: LimitsFlags) => {
      const named = Object.fromEntries(values.map(limitOf))
      return call(flags, 'mutate', 'limits.set', { ...(await organisationOf(organisation, flags)), limits: named })
    })
  ofOrganisation(listOptions(limits.command('usage')))
    .description('show how much of the limits is used, by agent')
    .action(showUsage)
}

async function showLimits({ organisation, ...flags }: LimitsFlags): Promise<void> {
  const { agent } = await openAgent(flags)
  const shown = await agent.query<LimitsView>('limits.get', await organisationOf(organisation, flags))
  if (flags.json) return print(flags, shown)
  const rows = Object.entries(shown.limits).map(([name, inForce]) => ({
    name,
    inForce,
    maximum: shown.maximum[name as keyof typeof shown.maximum],
  })) // its own name
  printTable(
    [
      { name: 'limit', value: (row) => row.name, kind: 'id' },
      { name: 'in force', value: (row) => row.inForce },
      { name: 'maximum', value: (row) => row.maximum },
    ],
    rows,
  )
}

async function showUsage({ organisation, ...flags }: ListFlags & LimitsFlags): Promise<void> {
  const { agent } = await openAgent(flags)
  const read = readOf<LimitsUsage['items'][number]>(agent, USAGE, {
    ...(await organisationOf(organisation, flags)),
    ...definedIn({ cursor: flags.cursor }),
  })
  let isFirst = true
  return printList(flags, USAGE, async (limit) => {
    const batch = await read(limit)
    const { agents, limits } = batch.others as unknown as LimitsUsage // the other members of the response
    if (isFirst && !flags.json)
      printErrorLines(`agents: ${agents} of ${limits.agents}; open tasks: at most ${limits.openTasks} for each agent`)
    isFirst = false
    return batch
  })
}

const organisationOf = async (named: string | undefined, flags: CommonFlags): Promise<object> =>
  named === undefined ? {} : { organisation: await orgIdOf((await openAgent(flags)).agent, named) }

function limitOf(text: string): readonly [string, number] {
  const [, name = '', number] = /^([a-zA-Z]+)=(\d+)$/.exec(text) ?? refuseUsage(`${text}: expected <name>=<number>, such as openTasks=100`)
  return [name, Number(number)]
}
