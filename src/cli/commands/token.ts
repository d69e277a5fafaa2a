import { type Command, Option } from 'commander'
import type { LineageNode } from '../../oauth/lineage.js'
import {
  type CommonFlags,
  collect,
  definedIn,
  endingOptions,
  type ListFlags,
  listOptions,
  openAgent,
  secretOf,
  showOptions,
  wholeNumberOrZero,
} from '../context.js'
import { callEnding } from '../endings/confirm.js'
import { endingOfToken } from '../endings/describe.js'
import { type ListView, printList, readOf } from '../lists/list.js'
import { print, printErrorLines } from '../output.js'

interface TokenListFlags extends ListFlags {
  readonly client?: string
  readonly task?: string
  readonly introduction?: string
  readonly audience?: string
  readonly alive?: boolean
}

interface VerifyFlags extends CommonFlags {
  readonly token: string
  readonly scope?: string
  readonly tool?: string
  readonly resource?: string
  readonly task?: string
  readonly parent?: string
  readonly description?: string
}

interface SettleFlags extends CommonFlags {
  readonly calls: number
  readonly units?: number
}

interface RevokeFlags extends CommonFlags {
  readonly task?: readonly string[]
}

const TOKENS: ListView<LineageNode> = {
  path: 'tokens.list',
  columns: [
    { name: 'id', value: ({ tokenId }) => tokenId, kind: 'id' },
    { name: 'from', value: ({ parents }) => parents, kind: 'id' },
    { name: 'state', value: ({ revoked }) => (revoked ? 'revoked' : 'active'), kind: 'state' },
    { name: 'client', value: ({ clientId }) => clientId, kind: 'id' },
    { name: 'scope', value: ({ scope }) => scope },
    { name: 'issued', value: ({ issuedAt }) => issuedAt, kind: 'time' },
    { name: 'expires', value: ({ expiresAt }) => expiresAt, kind: 'time' },
    { name: 'audience', value: ({ audience }) => audience },
    { name: 'task', value: ({ taskId }) => taskId, kind: 'detail' },
    { name: 'introduction', value: ({ introductionId }) => introductionId, kind: 'detail' },
  ],
  fields: {
    tokenId: true,
    parents: true,
    clientId: true,
    sub: true,
    subProfile: true,
    audience: true,
    scope: true,
    act: true,
    actProfiles: true,
    taskId: true,
    introductionId: true,
    issuedAt: true,
    expiresAt: true,
    tools: true,
    resources: true,
    delegation: true,
    maxCalls: true,
    usedCalls: true,
    usedUnits: true,
    revoked: true,
    handles: true,
    endedAt: true,
    endedBy: true,
    reason: true,
    note: true,
  },
}

const LINEAGE: ListView<LineageNode> = { ...TOKENS, path: 'tokens.lineage', itemsIn: 'nodes' }

/** `credence token …` and `credence lineage`. */
export function tokenCommands(program: Command, common: (command: Command) => Command): void {
  showOptions(program.command('lineage <taskOrTokenId>'))
    .description('show which token came from which, for a task or a token')
    .action(async (id: string, flags: CommonFlags) => {
      const { agent } = await openAgent(flags)
      const read = readOf<LineageNode>(agent, LINEAGE, id.startsWith('tsk_') ? { taskId: id } : { tokenId: id })
      return printList(flags, LINEAGE, async (limit) => {
        const batch = await read(limit)
        if (batch.others.isComplete === false && !flags.json) printErrorLines('warning: only the first 500 tokens are known')
        return batch
      })
    })
  const token = program.command('token').description('list, verify, settle and revoke tokens')
  listOptions(token.command('list'))
    .description('list tokens, newest first: those of this agent or member, unless an option names others')
    .addOption(new Option('--client <id>', 'tokens of an agent or member').conflicts(['task', 'introduction', 'audience']))
    .addOption(new Option('--task <taskId>', 'tokens of a task and its child tasks').conflicts(['introduction', 'audience']))
    .addOption(new Option('--introduction <introductionId>', 'tokens that were issued under an introduction').conflicts(['audience']))
    .option('--audience <uri>', 'tokens for an audience')
    .option('--alive', 'only tokens that have not expired and stand')
    .action(async (flags: TokenListFlags) => {
      const { agent } = await openAgent(flags)
      const { task, introduction, audience, alive } = flags
      const client = flags.client ?? ((task ?? introduction ?? audience) ? undefined : agent.clientId)
      return printList(flags, TOKENS, readOf(agent, TOKENS, { client, task, introduction, audience, alive, cursor: flags.cursor }))
    })
  common(token.command('verify'))
    .description('check whether a token, read from standard input or CREDENCE_TOKEN, fits a call')
    .addOption(new Option('--token <token>', 'the token; "-" reads standard input').env('CREDENCE_TOKEN').default('-'))
    .option('--scope <scope>', 'scopes of the call, separated by spaces')
    .option('--tool <name>', 'tool that the call uses')
    .option('--resource <name>', 'resource that the call uses')
    .option('--task <taskId>', 'task that the call is for')
    .option('--parent <taskId>', 'parent of the task')
    .option('--description <text>', 'description of the task')
    .action(async ({ token: given, scope, tool, resource, task: taskId, parent: parentTaskId, description, ...flags }: VerifyFlags) => {
      const accessToken = await secretOf(given, 'token')
      const { agent } = await openAgent(flags)
      print(flags, await agent.verifyToken(accessToken, definedIn({ scope, tool, resource, taskId, parentTaskId, description })))
    })
  common(token.command('settle <tokenId>'))
    .description(
      'return what a token has not used to the budget of its task (the audience of the token, once); a token that has not expired is revoked',
    )
    .requiredOption('--calls <n>', 'number of calls that the audience has accepted', wholeNumberOrZero)
    .option('--units <n>', 'what the calls cost (default: calls times the cost of the scope)', wholeNumberOrZero)
    .action(async (tokenId: string, { calls, units, ...flags }: SettleFlags) => {
      const { agent } = await openAgent(flags)
      print(flags, await agent.settleToken(tokenId, { calls, ...(units !== undefined && { units }) }))
    })
  endingOptions(common(token.command('revoke <tokenId>')))
    .description('revoke a token and every token that came from it')
    .option('--task <taskId>', 'end this task, too (repeatable); if one may not be ended, nothing is revoked', collect)
    .action((tokenId: string, { task: affectedTaskChain, ...flags }: RevokeFlags) =>
      callEnding(flags, 'tokens.revoke', { inputOf: async () => definedIn({ tokenId, affectedTaskChain }), describe: endingOfToken }),
    )
}
