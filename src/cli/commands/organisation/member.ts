import type { Command } from 'commander'
import type { MemberList } from '../../../identity/members/list.js'
import { type CommonFlags, call, endingOptions, type ListFlags, listOptions, openAgent } from '../../context.js'
import { callEnding } from '../../endings/confirm.js'
import { endingOfMember } from '../../endings/describe.js'
import { type ListView, list } from '../../lists/list.js'
import { memberIdOf, orgIdOf } from '../../names.js'

const MEMBERS: ListView<MemberList['items'][number]> = {
  path: 'members.list',
  columns: [
    { name: 'id', value: ({ memberId }) => memberId, kind: 'id' },
    { name: 'name', value: ({ name }) => name },
    { name: 'role', value: ({ role }) => role },
    { name: 'state', value: ({ state }) => state, kind: 'state' },
    { name: 'joined', value: ({ joinedAt }) => joinedAt, kind: 'time' },
    { name: 'invitedBy', value: ({ invitedBy }) => invitedBy, kind: 'id' },
    { name: 'ended', value: ({ endedAt }) => endedAt, kind: 'time' },
  ],
  fields: {
    memberId: true,
    name: true,
    role: true,
    joinedAt: true,
    invitedBy: true,
    state: true,
    handles: true,
    endedAt: true,
    endedBy: true,
    reason: true,
    note: true,
  },
}

/** `credence member …`. */
export function memberCommands(program: Command, common: (command: Command) => Command): void {
  const member = program.command('member').description('list the members of an organisation, change roles, revoke memberships')
  listOptions(member.command('list <organisation>'))
    .description('list the members of an organisation')
    .action(async (named: string, flags: ListFlags) =>
      list(flags, MEMBERS, { orgId: await orgIdOf((await openAgent(flags)).agent, named) }),
    )
  common(member.command('role <member> <role>'))
    .description('change the role of a member (id or name) to administrator or member')
    .action(async (named: string, role: string, flags: CommonFlags) =>
      call(flags, 'mutate', 'members.changeRole', { memberId: await memberIdOf((await openAgent(flags)).agent, named), role }),
    )
  endingOptions(common(member.command('revoke <member>')))
    .description('revoke a membership; keys and tokens of the member are no longer accepted')
    .action((named: string, flags: CommonFlags) =>
      callEnding(flags, 'members.revoke', {
        inputOf: async (agent) => ({ memberId: await memberIdOf(agent, named) }),
        describe: endingOfMember,
      }),
    )
}
