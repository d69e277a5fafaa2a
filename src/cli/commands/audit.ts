import { type Command, Option } from 'commander'
import type { VerifiedAudit } from '../../audit/verify.js'
import { systemClock } from '../../lib/clock.js'
import { type CommonFlags, call, listOptions, openAgent, timeOf } from '../context.js'
import { print, printLines } from '../output.js'

interface AuditFlags extends CommonFlags {
  readonly org?: string
  readonly action?: string
  readonly actor?: string
  readonly subject?: string
  readonly task?: string
  readonly token?: string
  readonly outcome?: string
  readonly since?: string
  readonly until?: string
  readonly after?: string
}

/** `credence audit`, and `export`, `retention` and `verify` below it. */
export function auditCommands(program: Command, common: (command: Command) => Command): void {
  const audit = filterOptions(listOptions(common(program.command('audit'))))
    .description('list audit events of an organisation, newest first (administrators)')
    .action((flags: AuditFlags) => call(flags, 'query', 'audit.list', filterOf(flags)))
  // `audit` has the same options, and commander assigns them to that parent command, where optsWithGlobals() finds them.
  filterOptions(common(audit.command('export')))
    .description(
      'print audit events as JSON lines, oldest first and without those of about the last half minute; each line has the cursor with which --after goes on',
    )
    .option('--after <cursor>', 'continue after the line with this cursor, the last one of an earlier export')
    .action((_: AuditFlags, command: Command) => exportEvents(command.optsWithGlobals<AuditFlags>()))
  common(audit.command('retention'))
    .description('show or set how long the audit events of an organisation are kept; without options, shows it')
    .option('--days <n>', 'keep events for this many days, or "forever" (administrators)')
    .option('--minimum-days <n>', 'the least that the organisation may set, or "none" (operators)')
    .action((_: RetentionFlags, command: Command) => retention(command.optsWithGlobals<RetentionFlags>()))
  common(audit.command('verify'))
    .description(
      'verify the hash chains and their anchors in the trust log; exits with code 1 if a row was changed, added or moved, or removed other than by retention',
    )
    .action((_: CommonFlags, command: Command) => verify(command.optsWithGlobals<CommonFlags>()))
}

interface RetentionFlags extends AuditFlags {
  readonly days?: string
  readonly minimumDays?: string
}

async function retention({ org, days, minimumDays, ...flags }: RetentionFlags): Promise<void> {
  const { agent } = await openAgent(flags)
  const organisation = org === undefined ? {} : { orgId: org }
  const change = {
    ...(days !== undefined && { days: days === 'forever' ? null : Number(days) }),
    ...(minimumDays !== undefined && { minimumDays: minimumDays === 'none' ? null : Number(minimumDays) }),
  }
  const isShown = Object.keys(change).length === 0
  print(
    flags,
    await (isShown ? agent.query('audit.getRetention', organisation) : agent.mutate('audit.setRetention', { ...organisation, ...change })),
  )
}

const filterOptions = (command: Command): Command =>
  command
    .option('--org <orgId>', 'organisation (default: that of the profile)')
    .option('--action <action>', 'only this action, such as cards.publish')
    .option('--actor <clientId>', 'only events of this agent or member')
    .option('--subject <id>', 'only events about this agent, member, key, card or introduction')
    .option('--task <taskId>', 'only events of this task')
    .option('--token <tokenId>', 'only events with this token (its jti)')
    .addOption(new Option('--outcome <outcome>', 'only these outcomes').choices(['done', 'refused']))
    .option('--since <time>', 'only events since then: a duration such as 2h, a date, or a time such as 2026-01-31T12:00:00Z')
    .option('--until <time>', 'only events before then')

function filterOf({ org, action, actor, subject, task, token, outcome, since, until }: AuditFlags): object {
  const now = systemClock.now()
  return {
    ...(org && { orgId: org }),
    ...(action && { action }),
    ...(actor && { actor }),
    ...(subject && { subject }),
    ...(task && { taskId: task }),
    ...(token && { tokenId: token }),
    ...(outcome && { outcome }),
    ...(since && { from: timeOf(since, now) }),
    ...(until && { until: timeOf(until, now) }),
  }
}

async function exportEvents(flags: AuditFlags): Promise<void> {
  const { agent } = await openAgent(flags)
  const filter = filterOf(flags)
  let cursor = flags.after
  do {
    const page: { items: object[]; cursor?: string } = await agent.query('audit.export', { ...filter, ...(cursor && { cursor }) })
    if (page.items.length > 0) printLines(...page.items.map((row) => JSON.stringify(row)))
    cursor = page.cursor
  } while (cursor !== undefined)
}

async function verify(flags: CommonFlags): Promise<void> {
  const { agent } = await openAgent(flags)
  let total: VerifiedAudit = { links: 0, rows: 0, removed: 0, anchors: 0, broken: [], brokenAnchors: [] }
  let cursor: string | undefined
  do {
    const page: VerifiedAudit = await agent.query('audit.verify', cursor === undefined ? {} : { cursor })
    total = {
      links: total.links + page.links,
      rows: total.rows + page.rows,
      removed: total.removed + page.removed,
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
