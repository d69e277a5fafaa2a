import type { Command } from 'commander'
import { type CommonFlags, call, endingOptions, listOptions } from '../../context.js'

/** `credence organisation …`. */
export function organisationCommands(program: Command, common: (command: Command) => Command): void {
  const organisation = program.command('organisation').alias('org').description('create, show and revoke organisations')
  common(organisation.command('create <name>'))
    .description('create an organisation (operators)')
    .action((name: string, flags: CommonFlags) => call(flags, 'mutate', 'organisations.create', { name }))
  listOptions(common(organisation.command('list')))
    .description('list the organisations that the profile may see')
    .action((flags: CommonFlags) => call(flags, 'query', 'organisations.list', {}))
  common(organisation.command('show <orgId>'))
    .description('show one organisation')
    .action((orgId: string, flags: CommonFlags) => call(flags, 'query', 'organisations.get', { orgId }))
  common(organisation.command('invite <orgId>'))
    .description('print a one-time code with which a person joins the organisation')
    .option('--role <role>', 'administrator, member or operator', 'member')
    .action((orgId: string, flags: CommonFlags & { role: string }) => call(flags, 'mutate', 'members.invite', { orgId, role: flags.role }))
  endingOptions(common(organisation.command('revoke <orgId>')))
    .description('permanently deactivate the organisation and revoke everything that it owns (operators)')
    .action((orgId: string, flags: CommonFlags) => call(flags, 'mutate', 'organisations.revoke', { orgId }))
}
