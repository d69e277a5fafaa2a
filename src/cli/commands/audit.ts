import type { Command } from 'commander'
import type { VerifiedAudit } from '../../audit/verify.js'
import { type CommonFlags, call, listOptions, openAgent } from '../context.js'
import { print } from '../output.js'

interface AuditFlags extends CommonFlags {
  readonly org?: string
  readonly action?: string
}

/** `credence audit` and `credence audit verify`. */
export function auditCommands(program: Command, common: (command: Command) => Command): void {
  const audit = listOptions(common(program.command('audit')))
    .description('list audit events of an organisation, newest first (administrators)')
    .option('--org <orgId>', 'organisation (default: that of the profile)')
    .option('--action <action>', 'only this action, such as cards.publish')
    .action((flags: AuditFlags) =>
      call(flags, 'query', 'audit.list', {
        ...(flags.org && { orgId: flags.org }),
        ...(flags.action && { action: flags.action }),
      }),
    )
  // `audit` has the same options, and commander assigns them to that parent command, where optsWithGlobals() finds them.
  common(audit.command('verify'))
    .description(
      'verify the hash chains and their anchors in the trust log; exits with code 1 if a row was changed, removed, added or moved',
    )
    .action((_: CommonFlags, command: Command) => verify(command.optsWithGlobals<CommonFlags>()))
}

async function verify(flags: CommonFlags): Promise<void> {
  const { agent } = await openAgent(flags)
  let total: VerifiedAudit = { links: 0, rows: 0, anchors: 0, broken: [], brokenAnchors: [] }
  let cursor: string | undefined
  do {
    const page: VerifiedAudit = await agent.query('audit.verify', cursor === undefined ? {} : { cursor })
    total = {
      links: total.links + page.links,
      rows: total.rows + page.rows,
      anchors: total.anchors + page.anchors,
      broken: [...total.broken, ...page.broken],
      brokenAnchors: [...total.brokenAnchors, ...page.brokenAnchors],
    }
    cursor = page.cursor
  } while (cursor !== undefined)
  const verified = total.broken.length === 0 && total.brokenAnchors.length === 0
  print(flags, { verified, ...total })
  if (!verified) process.exitCode = 1
}
