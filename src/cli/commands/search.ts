import type { Command } from 'commander'
import { type CommonFlags, call, collect, listOptions } from '../context.js'

interface SearchFlags extends CommonFlags {
  readonly skill?: string
  readonly tag?: readonly string[]
  readonly nonconformant?: boolean
}

/** `credence search`. */
export function searchCommand(program: Command, common: (command: Command) => Command): void {
  listOptions(common(program.command('search [text...]')))
    .description('find agents by words, skill and tags of their cards')
    .option('--skill <id>', 'id of a skill that the card must list')
    .option('--tag <tag>', 'tag that a skill of the card must have (repeatable)', collect)
    .option('--nonconformant', 'also find imported cards that do not follow A2A')
    .action((words: readonly string[], flags: SearchFlags) =>
      call(flags, 'query', 'discovery.search', {
        ...(words.length > 0 && { text: words.join(' ') }),
        ...(flags.skill && { skill: flags.skill }),
        ...(flags.tag && { tags: flags.tag }),
        ...(flags.nonconformant && { includeNonconformant: true }),
      }),
    )
}
