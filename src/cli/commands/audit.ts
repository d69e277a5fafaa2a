import { type Command, Option } from 'commander'
import { MIN_DAYS, type RetentionView } from '../../audit/retention.js'
import type { AuditRow } from '../../audit/store.js'
import type { VerifiedAudit } from '../../audit/verify.js'
import type { Agent } from '../../client/index.js'
import { systemClock } from '../../lib/clock.js'
import { type CommonFlags, confirmationOptions, definedIn, type ListFlags, listOptions, openAgent, timeOf } from '../context.js'
import { confirm, count } from '../endings/confirm.js'
import { refuseUsage } from '../errors.js'
import { type ListView, printList, readOf } from '../lists/list.js'
import { mapped } from '../lists/merged.js'
import { clientIdOf, newNames, orgIdOf, ownOrgId } from '../names.js'
import { print, printLines, withProgress } from '../output.js'
import { isoTime } from '../terminal/times.js'

type Event = Omit<AuditRow, 'id' | 'writer' | 'number' | 'orgIds' | 'endsDigest'> & {
  readonly auditId: string
  readonly actorName?: string | undefined
}

const EVENTS: ListView<Event> = {
  path: 'audit.list',
  columns: [
    { name: 'time', value: ({ createdAt }) => createdAt, kind: 'time' },
    { name: 'action', value: ({ action }) => action },
    { name: 'outcome', value: ({ outcome }) => outcome },
    { name: 'reason', value: ({ reason, endReason }) => reason ?? endReason },
    { name: 'actor', value: ({ actor, actorName }) => actorName ?? actor },
    { name: 'subject', value: ({ subject }) => subject, kind: 'id' },
    { name: 'task', value: ({ taskId }) => taskId, kind: 'id' },
    { name: 'token', value: ({ tokenId }) => tokenId, kind: 'id' },
    { name: 'note', value: ({ note }) => note },
    { name: 'facts', value: ({ facts }) => facts },
    { name: 'actorId', value: ({ actor }) => actor, kind: 'detail' },
    { name: 'id', value: ({ auditId }) => auditId, kind: 'detail' },
  ],
  fields: {
    auditId: true,
    createdAt: true,
    actor: true,
    actorName: true,
    action: true,
    outcome: true,
    reason: true,
    subject: true,
    tokenId: true,
    taskId: true,
    endReason: true,
    note: true,
    facts: true,
  },
}

interface FilterFlags extends CommonFlags {
  readonly org?: string
  readonly action?: string
  readonly actor?: string
  readonly subject?: string
  readonly task?: string
  readonly token?: string
  readonly outcome?: string
  readonly since?: string
  readonly until?: string
}
type AuditFlags = ListFlags & FilterFlags
type ExportFlags = FilterFlags & { readonly after?: string }

/** `credence audit`, and `export`, `retention` and `verify` below it. */
export function auditCommands(program: Command, common: (command: Command) => Command): void {
  const audit = filterOptions(listOptions(program.command('audit')))
    .description('list audit events of an organisation, newest first (administrators)')
    .action(async (flags: AuditFlags) => {
      const { agent } = await openAgent(flags)
      const filter = await filterOf(agent, flags)
      const nameOf = newNames(agent, filter.orgId ?? (await ownOrgId(agent)))
      const read = readOf<Event>(agent, EVENTS, { ...filter, cursor: flags.cursor })
      return printList(
        flags,
        EVENTS,
        mapped(read, async (event) => ({ ...event, actorName: await nameOf(event.actor) })),
      )
    })
  // `audit` has the same options, and commander assigns them to that parent command, where optsWithGlobals() finds them.
  filterOptions(common(audit.command('export')))
    .description(
      'print audit events as JSON lines, oldest first and without those of about the last half minute; each line has the cursor with which --after goes on',
    )
    .option('--after <cursor>', 'continue after the line with this cursor, the last one of an earlier export')
    .action((_: ExportFlags, command: Command) => exportEvents(command.optsWithGlobals<ExportFlags>()))
  confirmationOptions(common(audit.command('retention')))
    .description(
      'show or set how long the audit events of an organisation are kept; without options, shows it. Asks before older events are removed',
    )
    .option('--days <n>', 'keep events for this many days, or "forever" (administrators)')
    .option('--minimum-days <n>', 'the least that the organisation may set, or "none" (operators)')
    .action((_: RetentionFlags, command: Command) => retention(command.optsWithGlobals<RetentionFlags>()))
  common(audit.command('verify'))
    .description(
      'verify the hash chains and their anchors in the trust log; exits with code 1 if a row was changed, added or moved, or removed other than by retention',
    )
    .action((_: CommonFlags, command: Command) => verify(command.optsWithGlobals<CommonFlags>()))
}

interface RetentionFlags extends CommonFlags {
  readonly org?: string
  readonly days?: string
  readonly minimumDays?: string
}

async function retention({ org, days, minimumDays, ...flags }: RetentionFlags): Promise<void> {
  const { agent } = await openAgent(flags)
  const organisation = org === undefined ? {} : { orgId: await orgIdOf(agent, org) }
  const change = {
    ...(days !== undefined && { days: days === 'forever' ? null : daysOf(days) }),
    ...(minimumDays !== undefined && { minimumDays: minimumDays === 'none' ? null : daysOf(minimumDays) }),
  }
  const current = await agent.query<RetentionView>('audit.getRetention', organisation)
  if (Object.keys(change).length === 0) return print(flags, current)
  const next = daysAfter(current, change)
  const isShorter = next !== null && next < (current.days ?? Number.POSITIVE_INFINITY)
  if (isShorter || flags.dryRun) {
    const until = (Math.floor(systemClock.now() / DAY_SECONDS) - (next ?? 0)) * DAY_SECONDS
    const isConfirmed = await confirm(flags, async () => ({
      removes: isShorter
        ? `the audit events of ${current.orgId} before ${isoTime(until)}, for ever, and then each day one day more`
        : 'no event',
      ...(isShorter && { endsWithIt: { 'events now': await count(agent, 'audit.list', { ...organisation, until }, () => true) } }),
    }))
    if (!isConfirmed) return
  }
  print(flags, await agent.mutate('audit.setRetention', { ...organisation, ...change }))
}

interface RetentionChange {
  readonly days?: number | null
  readonly minimumDays?: number | null
}

/**
 * The days for which events are kept after the change; null if for ever. A minimum that was in force may hide a smaller number that the organisation
 * has set, so a lower minimum counts as if it had.
 */
function daysAfter(current: RetentionView, { days = current.days, minimumDays }: RetentionChange): number | null {
  if (days === null || minimumDays === undefined) return days
  const minimum = Math.max(minimumDays ?? 0, MIN_DAYS)
  return days === current.minimumDays && minimum < days ? minimum : Math.max(days, minimum)
}

const DAY_SECONDS = 86_400

const filterOptions = (command: Command): Command =>
  command
    .option('--org <organisation>', 'organisation, by id or name (default: that of the profile)')
    .option('--action <action>', 'only this action, such as cards.publish')
    .option('--actor <client>', 'only events of this agent or member, by id or name')
    .option('--subject <id>', 'only events about this agent, member, key, card or introduction')
    .option('--task <taskId>', 'only events of this task')
    .option('--token <tokenId>', 'only events with this token (its jti)')
    .addOption(new Option('--outcome <outcome>', 'only these outcomes').choices(['done', 'refused']))
    .option('--since <time>', 'only events since then: a duration such as 2h, a date, or a time such as 2026-01-31T12:00:00Z')
    .option('--until <time>', 'only events before then')

async function filterOf(agent: Agent, flags: FilterFlags): Promise<{ readonly orgId?: string }> {
  const { org, action, actor, subject, task: taskId, token: tokenId, outcome, since, until } = flags
  const now = systemClock.now()
  return definedIn({
    action,
    subject,
    taskId,
    tokenId,
    outcome,
    orgId: org && (await orgIdOf(agent, org)),
    actor: actor && (await clientIdOf(agent, actor)),
    from: since && timeOf(since, now),
    until: until && timeOf(until, now),
  })
}

async function exportEvents({ after, ...flags }: ExportFlags): Promise<void> {
  const { agent } = await openAgent(flags)
  const filter = await filterOf(agent, flags)
  let cursor = after
  let exported = 0
  do {
    const page: { items: readonly object[]; cursor?: string } = await withProgress(`exported ${exported} events`, () =>
      agent.query('audit.export', definedIn({ ...filter, cursor })),
    )
    if (page.items.length > 0) printLines(...page.items.map((row) => JSON.stringify(row)))
    exported += page.items.length
    cursor = page.cursor
  } while (cursor !== undefined)
}

/** JSON has no NaN: it would be sent as null, which keeps events for ever. */
const daysOf = (text: string): number => (/^\d{1,6}$/.test(text) ? Number(text) : refuseUsage(`${text}: not a number of days`))

async function verify(flags: CommonFlags): Promise<void> {
  const { agent } = await openAgent(flags)
  let total: VerifiedAudit = { links: 0, rows: 0, removed: 0, anchors: 0, broken: [], brokenAnchors: [] }
  let cursor: string | undefined
  do {
    const page: VerifiedAudit = await withProgress(`verified ${total.rows} rows`, () => agent.query('audit.verify', definedIn({ cursor })))
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
