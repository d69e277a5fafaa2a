import type { Command } from 'commander'
import { type CommonFlags, call, endingOptions } from '../context.js'

/** `credence token …` and `credence lineage`. */
export function tokenCommands(program: Command, common: (command: Command) => Command): void {
  common(program.command('lineage <taskOrTokenId>'))
    .description('show which token came from which, for a task or a token')
    .action((id: string, flags: CommonFlags) =>
      call(flags, 'query', 'tokens.lineage', id.startsWith('tsk_') ? { taskId: id } : { tokenId: id }),
    )
  const token = program.command('token').description('revoke tokens')
  endingOptions(common(token.command('revoke <tokenId>')))
    .description('revoke a token and every token that came from it')
    .action((tokenId: string, flags: CommonFlags) => call(flags, 'mutate', 'tokens.revoke', { tokenId }))
}
