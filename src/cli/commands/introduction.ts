import { type Command, Option } from 'commander'
import type { Agent } from '../../client/index.js'
import type { InboxNotification } from '../../delegation/inbox/store.js'
import type { IntroductionView } from '../../delegation/introductions/view.js'
import {
  type CommonFlags,
  call,
  collect,
  definedIn,
  endingOptions,
  type ListFlags,
  listOptions,
  openAgent,
  showOptions,
  wholeNumber,
} from '../context.js'
import { callEnding } from '../endings/confirm.js'
import { endingOfIntroduction } from '../endings/describe.js'
import { refuseUsage } from '../errors.js'
import { type ListView, printList, type Read, readOf } from '../lists/list.js'
import { mapped, merged } from '../lists/merged.js'
import { agentIdOf, newNames, targetOf } from '../names.js'
import { type NarrowFlags, narrowingOf, narrowOptions } from '../narrowing.js'

const DECISIONS = {
  approve: 'grant a pending request as requested, or approve again an introduction that needs it',
  deny: 'deny a pending request',
} as const

interface RequestFlags extends CommonFlags {
  readonly purpose: string
  readonly from?: string
  readonly capability?: string
  readonly scope?: readonly string[]
}

/** An introduction of a list: `received` and `requested` by this side, or `internal` if both agents belong to it. */
interface ListedIntroduction extends IntroductionView {
  readonly direction: 'received' | 'requested' | 'internal'
  readonly fromName?: string | undefined
  readonly toName?: string | undefined
}

const INTRODUCTIONS: ListView<ListedIntroduction> = {
  path: 'introductions.list',
  columns: [
    { name: 'id', value: ({ introductionId }) => introductionId, kind: 'id' },
    { name: 'direction', value: ({ direction }) => direction, rank: 4 },
    { name: 'state', value: ({ state }) => state, kind: 'state', rank: 1 },
    { name: 'from', value: ({ from, fromName }) => fromName ?? from, rank: 2 },
    { name: 'to', value: ({ to, toName, capability }) => toName ?? to ?? capability, rank: 3 },
    { name: 'scopes', value: ({ bounds, requested }) => (bounds ?? requested).scopes, rank: 5 },
    { name: 'requested', value: ({ requestedAt }) => requestedAt, kind: 'time', rank: 6 },
    { name: 'expires', value: ({ expiresAt }) => expiresAt, kind: 'time', rank: 7 },
    { name: 'purpose', value: ({ purpose }) => purpose, rank: 8 },
    { name: 'fromId', value: ({ from }) => from, kind: 'detail' },
    { name: 'toId', value: ({ to }) => to, kind: 'detail' },
  ],
  fields: {
    introductionId: true,
    direction: true,
    state: true,
    from: true,
    fromName: true,
    to: true,
    toName: true,
    capability: true,
    purpose: true,
    requested: true,
    bounds: true,
    interface: true,
    skills: true,
    taskId: true,
    requestedAt: true,
    requestedSeconds: true,
    grantedAt: true,
    expiresAt: true,
    needsApproval: true,
    pendingBecause: true,
    handles: true,
    endedAt: true,
    endedBy: true,
    reason: true,
    note: true,
  },
}

type Notification = Omit<InboxNotification, 'id' | 'agentId' | 'expiresAt' | 'approvalId'>

const NOTIFICATIONS: ListView<Notification> = {
  path: 'introductions.inbox',
  columns: [
    { name: 'position', value: ({ position }) => position },
    { name: 'kind', value: ({ kind }) => kind },
    { name: 'introduction', value: ({ introductionId }) => introductionId, kind: 'id', rank: 0 },
    { name: 'from', value: ({ from }) => from, kind: 'id' },
    { name: 'to', value: ({ to }) => to, kind: 'id' },
    { name: 'time', value: ({ createdAt }) => createdAt, kind: 'time', rank: 2 },
    { name: 'scopes', value: ({ scopes }) => scopes },
    { name: 'purpose', value: ({ purpose }) => purpose },
  ],
  fields: {
    position: true,
    kind: true,
    introductionId: true,
    from: true,
    to: true,
    createdAt: true,
    revision: true,
    scopes: true,
    purpose: true,
    capability: true,
  },
}

/** `credence introduction …`. */
export function introductionCommands(program: Command, common: (command: Command) => Command): void {
  const introduction = program
    .command('introduction')
    .alias('intro')
    .description('request, list, approve, deny, narrow and revoke introductions; read the inbox')
  common(introduction.command('request [target]'))
    .description(
      'request an introduction: the permission to call an agent (by id or name) or a protected resource (by URI or id); if it is pending, `pendingBecause` says why it must be approved',
    )
    .option('--capability <name>', 'id of a skill or a tag, which need not be public, in place of an agent: those that have it are asked')
    .option('--scope <scope>', 'scope that its card lists or the resource has (repeatable); required with a target', collect)
    .option('--from <agent>', 'for members: the agent of this organisation (id or name) that the introduction is for')
    .requiredOption('--purpose <text>', 'reason, shown to the approver')
    .action(async (to: string | undefined, { from, capability, scope: scopes, ...flags }: RequestFlags) =>
      call(flags, 'mutate', 'introductions.request', {
        purpose: flags.purpose,
        from: from === undefined ? undefined : await agentIdOf((await openAgent(flags)).agent, from),
        to: to === undefined ? undefined : await targetOf((await openAgent(flags)).agent, to),
        capability,
        scopes,
      }),
    )
  listOptions(introduction.command('list'))
    .description('list the introductions of this agent, or of the agents of this organisation, newest first')
    .addOption(new Option('--role <role>', 'only those requested of this side (to) or by it (from)').choices(['to', 'from']))
    .option('--agent <agent>', 'for members: only those of this agent (id or name)')
    .addOption(new Option('--state <state>', 'only those in this state').choices(['pending', 'granted', 'all']))
    .action(listIntroductions)
  showOptions(introduction.command('show <introductionId>'))
    .description('show one introduction')
    .action((introductionId: string, flags: CommonFlags) => call(flags, 'query', 'introductions.get', { introductionId }))
  for (const [verb, text] of Object.entries(DECISIONS)) {
    const command = common(introduction.command(`${verb} <introductionId>`))
    if (verb === 'deny') command.option('--note <text>', 'explanation for the requester, at most 512 characters')
    command
      .description(text)
      .action((introductionId: string, flags: CommonFlags) => call(flags, 'mutate', `introductions.${verb}`, { introductionId }))
  }
  narrowOptions(common(introduction.command('narrow <introductionId>')))
    .description('for the target: keep only a part of a granted introduction; tokens that were issued under it end')
    .action(async (introductionId: string, flags: NarrowFlags) =>
      call(flags, 'mutate', 'introductions.narrow', { introductionId, ...narrowingOf(flags) }),
    )
  endingOptions(common(introduction.command('revoke <introductionId>')))
    .description('withdraw a request, or revoke a granted introduction and every token that depends on it')
    .action((introductionId: string, flags: CommonFlags) =>
      callEnding(flags, 'introductions.revoke', { inputOf: async () => ({ introductionId }), describe: endingOfIntroduction }),
    )
  showOptions(introduction.command('inbox'))
    .description('list the notifications of this agent')
    .option('--limit <n>', 'maximum number of notifications to print (default: 20, then more on request)', wholeNumber)
    .option('--all', 'print all notifications')
    .option('--after <position>', 'position of the last notification that was read', '0')
    .action(listNotifications)
}

interface IntroductionListFlags extends ListFlags {
  readonly role?: 'to' | 'from'
  readonly agent?: string
  readonly state?: string
}

async function listIntroductions({ role, agent: named, state, ...flags }: IntroductionListFlags): Promise<void> {
  if (flags.cursor !== undefined && role === undefined) refuseUsage('--cursor needs --role, because a cursor belongs to one direction')
  const { agent } = await openAgent(flags)
  const filter = definedIn({ agentId: named === undefined ? undefined : await agentIdOf(agent, named), state })
  const side = (of: 'to' | 'from', direction: 'received' | 'requested'): Read<ListedIntroduction> =>
    mapped(readOf<IntroductionView>(agent, INTRODUCTIONS, { role: of, cursor: flags.cursor, ...filter }), async (item) => ({
      direction,
      ...item,
    }))
  const received = () => side('to', 'received')
  const requested = () => side('from', 'requested')
  const read = role === 'to' ? received() : role === 'from' ? requested() : merged(received(), requested(), joined)
  return printList(flags, INTRODUCTIONS, withNames(agent, read))
}

/** Newest first, as the registry orders each side. The same introduction is on both sides if both agents belong to the organisation. */
const joined = {
  isAfter: (a: ListedIntroduction, b: ListedIntroduction): boolean =>
    a.requestedAt === b.requestedAt ? a.introductionId < b.introductionId : a.requestedAt < b.requestedAt,
  same: (a: ListedIntroduction, b: ListedIntroduction): ListedIntroduction | undefined =>
    a.introductionId === b.introductionId ? { ...a, direction: 'internal' } : undefined,
}

function withNames(agent: Agent, read: Read<ListedIntroduction>): Read<ListedIntroduction> {
  const nameOf = newNames(agent)
  return mapped(read, async ({ introductionId, direction, state, from, to, ...rest }) => {
    const [fromName, toName] = await Promise.all([nameOf(from), nameOf(to)])
    return { introductionId, direction, state, from, fromName, to, toName, ...rest }
  })
}

/** The inbox has positions in place of cursors. */
async function listNotifications(flags: ListFlags & { readonly after: string }): Promise<void> {
  const { agent } = await openAgent(flags)
  let after = /^\d{1,15}$/.test(flags.after) ? Number(flags.after) : refuseUsage(`--after ${flags.after}: expected a position, such as 7`)
  return printList<Notification>(flags, NOTIFICATIONS, async (limit) => {
    const { items, ...others } = await agent.query<{ items: readonly Notification[]; lastPosition: number }>(NOTIFICATIONS.path, {
      after,
      limit,
    })
    after = others.lastPosition
    return { items, hasMore: items.length === limit, others }
  })
}
