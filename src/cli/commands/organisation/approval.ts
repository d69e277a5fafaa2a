import { type Command, Option } from 'commander'
import type { Approval } from '../../../client/index.js'
import { type CommonFlags, call, collect, definedIn, type ListFlags, listOptions, openAgent, showOptions } from '../../context.js'
import { type ListView, printList, readOf, showOne } from '../../lists/list.js'
import { mapped } from '../../lists/merged.js'
import { newNames } from '../../names.js'

interface ListedApproval extends Approval {
  readonly fromName?: string | undefined
  readonly toName?: string | undefined
}

const APPROVALS: ListView<ListedApproval> = {
  path: 'approvals.list',
  columns: [
    { name: 'id', value: ({ approvalId }) => approvalId, kind: 'id' },
    { name: 'kind', value: ({ kind }) => kind, rank: 5 },
    { name: 'state', value: ({ state }) => state, kind: 'state', rank: 1 },
    { name: 'from', value: ({ from, fromName }) => fromName ?? from, rank: 2 },
    {
      name: 'to',
      value: ({ to, toName, clientName, audience, capability }) => toName ?? clientName ?? audience ?? to ?? capability,
      rank: 3,
    },
    { name: 'scopes', value: ({ approved, requested }) => (approved ?? requested).scopes, rank: 4 },
    { name: 'because', value: ({ because }) => because, rank: 6 },
    { name: 'risk', value: ({ risk }) => risk?.level, rank: 7 },
    { name: 'requested', value: ({ requestedAt }) => requestedAt, kind: 'time', rank: 8 },
    { name: 'expires', value: ({ expiresAt }) => expiresAt, kind: 'time', rank: 9 },
    { name: 'purpose', value: ({ purpose }) => purpose, rank: 10 },
    { name: 'fromId', value: ({ from }) => from, kind: 'detail' },
    { name: 'toId', value: ({ to }) => to, kind: 'detail' },
  ],
  fields: {
    approvalId: true,
    kind: true,
    state: true,
    because: true,
    from: true,
    fromName: true,
    to: true,
    toName: true,
    audience: true,
    subject: true,
    actors: true,
    capability: true,
    client: true,
    clientName: true,
    rights: true,
    purpose: true,
    requested: true,
    approved: true,
    words: true,
    risk: true,
    taskId: true,
    newTask: true,
    jkt: true,
    requestedAt: true,
    expiresAt: true,
    decidedBy: true,
    note: true,
  },
}

interface ApproveFlags extends CommonFlags {
  readonly scope?: readonly string[]
  readonly tool?: readonly string[]
  readonly resource?: readonly string[]
  readonly delegation: boolean
}

/** `credence approval …`. */
export function approvalCommands(program: Command, common: (command: Command) => Command): void {
  const approval = program
    .command('approval')
    .description('list, show, approve and deny requests that need a decision: approvals of tokens and of consents, and introductions')
  listOptions(approval.command('list'))
    .description('list the pending decisions of this agent or organisation, newest first')
    .addOption(new Option('--role <role>', 'requests to this side (to) or by this side (from)').choices(['to', 'from']).default('to'))
    .addOption(new Option('--state <state>', 'also what was decided (all)').choices(['pending', 'all']).default('pending'))
    .action(async ({ role, state, ...flags }: ListFlags & { readonly role: string; readonly state: string }) => {
      const { agent } = await openAgent(flags)
      const nameOf = newNames(agent)
      const read = readOf<Approval>(agent, APPROVALS, { role, state, cursor: flags.cursor })
      const named = mapped(read, async (one) => ({
        ...one,
        fromName: await nameOf(one.from),
        toName: one.to?.startsWith('agt_') ? await nameOf(one.to) : undefined,
      }))
      return printList(flags, APPROVALS, named)
    })
  showOptions(approval.command('show <approvalId>'))
    .description('show one approval, or a requested introduction, with everything that the approver has to know')
    .action((approvalId: string, flags: CommonFlags) => showOne(flags, 'approvals.get', { approvalId }, APPROVALS))
  common(approval.command('approve <approvalId>'))
    .description('approve a pending request, as requested or narrower; an approval of a token is good for one token, within an hour')
    .option('--scope <scope>', 'approve only this scope (repeatable)', collect)
    .option('--tool <name>', 'approve only this tool (repeatable)', collect)
    .option('--resource <name>', 'approve only this resource (repeatable)', collect)
    .option('--no-delegation', 'do not let it be passed on')
    .action(async (approvalId: string, { scope, tool, resource, delegation, ...flags }: ApproveFlags) =>
      call(flags, 'mutate', 'approvals.approve', {
        approvalId,
        narrow: definedIn({ scopes: scope, tools: tool, resources: resource, delegation: delegation ? undefined : null }),
      }),
    )
  common(approval.command('deny <approvalId>'))
    .description('deny a pending request')
    .option('--note <text>', 'explanation for the requester, at most 512 characters')
    .action(async (approvalId: string, flags: CommonFlags) =>
      call(flags, 'mutate', 'approvals.deny', definedIn({ approvalId, note: flags.note })),
    )
  common(approval.command('cancel <approvalId>'))
    .description('cancel a request of this agent or organisation, or its approval that was not used')
    .action((approvalId: string, flags: CommonFlags) => call(flags, 'mutate', 'approvals.cancel', { approvalId }))
  common(approval.command('withdraw <approvalId>'))
    .description('take back an approval before it is used')
    .option('--note <text>', 'explanation for the requester, at most 512 characters')
    .action(async (approvalId: string, flags: CommonFlags) =>
      call(flags, 'mutate', 'approvals.withdraw', definedIn({ approvalId, note: flags.note })),
    )
}
