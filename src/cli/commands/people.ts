import type { Command } from 'commander'
import { issuerOf, joinRegistry } from '../../client/index.js'
import { newPrivateJwk, signerFromJwk } from '../../credentials/jose/sign.js'
import { type CommonFlags, call, openAgent, print, profilesOf } from '../context.js'
import { auditVerifyCommand } from './audit.js'

interface LoginFlags extends CommonFlags {
  readonly registry: string
  readonly code: string
  readonly name: string
}

/** `login` and everything about organisations and their people. */
export function peopleCommands(program: Command, common: (command: Command) => Command): void {
  common(program.command('login'))
    .description('register a new key of yours with a one-time code: the first code of a registry, or an invitation')
    .requiredOption('--registry <url>', 'issuer URL of the registry')
    .requiredOption('--code <code>', 'one-time code')
    .option('--name <name>', 'how others see you', 'operator')
    .action(login)
  common(program.command('whoami'))
    .description('who this profile is')
    .action(async (flags: CommonFlags) => {
      const { profile } = await openAgent(flags)
      print(flags, { registry: profile.registry, clientId: profile.clientId })
    })

  const organisation = program.command('organisation').alias('org').description('organisations: create, list, show, invite, end')
  common(organisation.command('create <name>')).action((name: string, flags: CommonFlags) =>
    call(flags, 'mutate', 'organisations.create', { name }),
  )
  common(organisation.command('list')).action((flags: CommonFlags) => call(flags, 'query', 'organisations.list', {}))
  common(organisation.command('show <orgId>')).action((orgId: string, flags: CommonFlags) =>
    call(flags, 'query', 'organisations.get', { orgId }),
  )
  common(organisation.command('invite <orgId>'))
    .option('--role <role>', 'administrator, member or operator', 'member')
    .action((orgId: string, flags: CommonFlags & { role: string }) => call(flags, 'mutate', 'members.invite', { orgId, role: flags.role }))
  common(organisation.command('end <orgId>'))
    .description('ends the organisation and everything of it')
    .action((orgId: string, flags: CommonFlags) => call(flags, 'mutate', 'organisations.revoke', { orgId }))

  const member = program.command('member').description('people of an organisation: list, role, end')
  common(member.command('list <orgId>')).action((orgId: string, flags: CommonFlags) => call(flags, 'query', 'members.list', { orgId }))
  common(member.command('role <memberId> <role>')).action((memberId: string, role: string, flags: CommonFlags) =>
    call(flags, 'mutate', 'members.changeRole', { memberId, role }),
  )
  common(member.command('end <memberId>')).action((memberId: string, flags: CommonFlags) =>
    call(flags, 'mutate', 'members.revoke', { memberId }),
  )
  const audit = common(program.command('audit'))
    .description('what was decided on requests of your organisation, newest first')
    .option('--org <orgId>')
    .option('--action <path>')
    .option('--limit <n>', '', '20')
    .action((flags: CommonFlags & { org?: string; action?: string; limit: string }) =>
      call(flags, 'query', 'audit.list', {
        ...(flags.org && { orgId: flags.org }),
        ...(flags.action && { action: flags.action }),
        limit: Number(flags.limit),
      }),
    )
  auditVerifyCommand(audit, common)
}

async function login(flags: LoginFlags): Promise<void> {
  const privateJwk = await newPrivateJwk('ES256')
  const joined = await joinRegistry({ issuer: flags.registry, code: flags.code, name: flags.name, signer: await signerFromJwk(privateJwk) })
  const written = profilesOf(flags).write(flags.profile, {
    registry: issuerOf(flags.registry),
    clientId: joined.memberId,
    privateJwk: { ...privateJwk },
  })
  print(flags, { ...joined, ...written })
}
