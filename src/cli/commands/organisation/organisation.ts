import type { Command } from 'commander'
import type { OrganisationView } from '../../../identity/organisations/get.js'
import { type CommonFlags, call, endingOptions, type ListFlags, listOptions, openAgent, showOptions } from '../../context.js'
import { callEnding } from '../../endings/confirm.js'
import { endingOfOrganisation } from '../../endings/describe.js'
import { type ListView, list } from '../../lists/list.js'
import { orgIdOf } from '../../names.js'
import { print } from '../../output.js'

const ORGANISATIONS: ListView<OrganisationView> = {
  path: 'organisations.list',
  columns: [
    { name: 'id', value: ({ orgId }) => orgId, kind: 'id' },
    { name: 'name', value: ({ name }) => name },
    { name: 'state', value: ({ state }) => state, kind: 'state' },
    { name: 'created', value: ({ createdAt }) => createdAt, kind: 'time' },
    { name: 'ended', value: ({ endedAt }) => endedAt, kind: 'time' },
    { name: 'reason', value: ({ reason }) => reason },
  ],
  fields: { orgId: true, name: true, state: true, createdAt: true, handles: true, endedAt: true, endedBy: true, reason: true, note: true },
}

/** `credence organisation …`. */
export function organisationCommands(program: Command, common: (command: Command) => Command): void {
  const organisation = program.command('organisation').alias('org').description('create, show and revoke organisations')
  common(organisation.command('create <name>'))
    .description('create an organisation (operators)')
    .action((name: string, flags: CommonFlags) => call(flags, 'mutate', 'organisations.create', { name }))
  listOptions(organisation.command('list'))
    .description('list the organisations that the profile may see')
    .action((flags: ListFlags) => list(flags, ORGANISATIONS))
  showOptions(organisation.command('show <organisation>'))
    .description('show one organisation, by id or name')
    .action(async (named: string, flags: CommonFlags) => {
      const { agent } = await openAgent(flags)
      const shown = await agent.query<OrganisationView>('organisations.get', { orgId: await orgIdOf(agent, named) })
      print(flags, shown, Object.keys(ORGANISATIONS.fields))
    })
  common(organisation.command('invite <organisation>'))
    .description('print a one-time code with which a person joins the organisation')
    .option('--role <role>', 'administrator, member, person or operator', 'member')
    .action(async (named: string, flags: CommonFlags & { role: string }) =>
      call(flags, 'mutate', 'members.invite', { orgId: await orgIdOf((await openAgent(flags)).agent, named), role: flags.role }),
    )
  endingOptions(common(organisation.command('revoke <organisation>')))
    .description('permanently deactivate the organisation and revoke everything that it owns (operators)')
    .action((named: string, flags: CommonFlags) =>
      callEnding(flags, 'organisations.revoke', {
        inputOf: async (agent) => ({ orgId: await orgIdOf(agent, named) }),
        describe: endingOfOrganisation,
      }),
    )
}
