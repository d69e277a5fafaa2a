import { type Command, Option } from 'commander'
import { type CommonFlags, call, collect, endingOptions, listOptions } from '../context.js'

const DECISIONS = {
  approve: 'grant a pending request as requested, or approve again an introduction that needs it',
  deny: 'deny a pending request',
  revoke: 'withdraw a request, or revoke a granted introduction and every token that depends on it',
} as const

interface RequestFlags extends CommonFlags {
  readonly purpose: string
  readonly capability?: string
  readonly scope?: readonly string[]
}

/** `credence introduction …`. */
export function introductionCommands(program: Command, common: (command: Command) => Command): void {
  const introduction = program
    .command('introduction')
    .alias('intro')
    .description('request, list, approve, deny and revoke introductions; read the inbox')
  common(introduction.command('request [agentId]'))
    .description(
      'request an introduction: the permission to call an agent; if it is pending, `pendingBecause` says why it must be approved',
    )
    .option('--capability <name>', 'id of a skill or a tag, which need not be public, in place of an agent: those that have it are asked')
    .option('--scope <scope>', 'scope that its card lists (repeatable); required for an agent', collect)
    .requiredOption('--purpose <text>', 'reason, shown to the approver')
    .action((to: string | undefined, { capability, scope: scopes, ...flags }: RequestFlags) =>
      call(flags, 'mutate', 'introductions.request', {
        purpose: flags.purpose,
        ...(to !== undefined && { to }),
        ...(capability !== undefined && { capability }),
        ...(scopes && { scopes }),
      }),
    )
  listOptions(common(introduction.command('list')))
    .description('list the introductions of this agent, or of the agents of this organisation, newest first')
    .addOption(new Option('--role <role>', 'requested of this side (to) or by it (from)').choices(['to', 'from']).default('to'))
    .action((flags: CommonFlags & { role: string }) => call(flags, 'query', 'introductions.list', { role: flags.role }))
  common(introduction.command('show <introductionId>'))
    .description('show one introduction')
    .action((introductionId: string, flags: CommonFlags) => call(flags, 'query', 'introductions.get', { introductionId }))
  for (const [verb, text] of Object.entries(DECISIONS)) {
    const command = common(introduction.command(`${verb} <introductionId>`))
    if (verb === 'revoke') endingOptions(command)
    if (verb === 'deny') command.option('--note <text>', 'explanation for the requester, at most 512 characters')
    command
      .description(text)
      .action((introductionId: string, flags: CommonFlags) => call(flags, 'mutate', `introductions.${verb}`, { introductionId }))
  }
  common(introduction.command('inbox'))
    .description('list the notifications of this agent')
    .option('--after <position>', 'position of the last notification that was read', '0')
    .action((flags: CommonFlags & { after: string }) => call(flags, 'query', 'introductions.inbox', { after: Number(flags.after) }))
}
