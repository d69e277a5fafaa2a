import type { Command } from 'commander'
import type { lineageOf } from '../../oauth/lineage.js'
import { type CommonFlags, endingOptions, openAgent, showOptions } from '../context.js'
import { callEnding } from '../endings/confirm.js'
import { endingOfToken } from '../endings/describe.js'
import { type ListView, printList, readOf } from '../lists/list.js'
import { printErrorLines } from '../output.js'

type Node = Awaited<ReturnType<typeof lineageOf>>['nodes'][number]

const LINEAGE: ListView<Node> = {
  path: 'tokens.lineage',
  itemsIn: 'nodes',
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
    audience: true,
    scope: true,
    act: true,
    taskId: true,
    introductionId: true,
    issuedAt: true,
    expiresAt: true,
    tools: true,
    resources: true,
    delegation: true,
    revoked: true,
    endedAt: true,
    endedBy: true,
    reason: true,
    note: true,
  },
}

/** `credence token …` and `credence lineage`. */
export function tokenCommands(program: Command, common: (command: Command) => Command): void {
  showOptions(program.command('lineage <taskOrTokenId>'))
    .description('show which token came from which, for a task or a token')
    .action(async (id: string, flags: CommonFlags) => {
      const { agent } = await openAgent(flags)
      const read = readOf<Node>(agent, LINEAGE, id.startsWith('tsk_') ? { taskId: id } : { tokenId: id })
      return printList(flags, LINEAGE, async (limit) => {
        const batch = await read(limit)
        if (batch.others.isComplete === false && !flags.json) printErrorLines('warning: only the first 500 tokens are known')
        return batch
      })
    })
  const token = program.command('token').description('revoke tokens')
  endingOptions(common(token.command('revoke <tokenId>')))
    .description('revoke a token and every token that came from it')
    .action((tokenId: string, flags: CommonFlags) =>
      callEnding(flags, 'tokens.revoke', { inputOf: async () => ({ tokenId }), describe: endingOfToken }),
    )
}
