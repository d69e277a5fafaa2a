import type { Command } from 'commander'
import { type CommonFlags, call, endingOptions, listOptions } from '../../context.js'

/** `credence member …`. */
export function memberCommands(program: Command, common: (command: Command) => Command): void {
  const member = program.command('member').description('list the members of an organisation, change roles, revoke memberships')
  listOptions(common(member.command('list <orgId>')))
    .description('list the members of an organisation')
    .action((orgId: string, flags: CommonFlags) => call(flags, 'query', 'members.list', { orgId }))
  common(member.command('role <memberId> <role>'))
    .description('change the role of a member to administrator or member')
    .action((memberId: string, role: string, flags: CommonFlags) => call(flags, 'mutate', 'members.changeRole', { memberId, role }))
  endingOptions(common(member.command('revoke <memberId>')))
    .description('revoke a membership; keys and tokens of the member are no longer accepted')
    .action((memberId: string, flags: CommonFlags) => call(flags, 'mutate', 'members.revoke', { memberId }))
}
