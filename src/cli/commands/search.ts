import { type Command, InvalidArgumentError, Option } from 'commander'
import type { SearchOptions } from '../../protocol/search.js'
import { type CommonFlags, call, collect, listOptions } from '../context.js'

interface SearchFlags
  extends CommonFlags,
    Omit<SearchOptions, 'text' | 'tags' | 'modes' | 'facets' | 'limit' | 'cursor' | 'publishedSince'> {
  readonly tag?: readonly string[]
  readonly mode?: readonly string[]
  readonly facet?: readonly string[]
  readonly since?: number
}

/** `credence search` and `credence suggest`. */
export function searchCommand(program: Command, common: (command: Command) => Command): void {
  listOptions(common(program.command('search [text...]')))
    .description('find agents by words or a task in a sentence, and by properties of their cards; all filters must match')
    .option('--skill <id>', 'id of a skill that the card must list')
    .option('--tag <tag>', 'tag that a skill of the card must have (repeatable)', collect)
    .option('--organisation <id>', 'organisation that the agent belongs to')
    .option('--namespace <name>', 'DNS name that its organisation has proved')
    .option('--verdict <state>', 'state of the verdict on the card, such as signed or verified')
    .option('--mode <type>', 'media type that the agent accepts or returns (repeatable)', collect)
    .option('--binding <name>', 'protocol binding of an interface, such as JSONRPC')
    .addOption(new Option('--capability <name>', 'capability of the card').choices(['streaming', 'pushNotifications', 'extendedAgentCard']))
    .option('--extension <uri>', 'URI of an A2A extension that the card declares')
    .option('--protocol-version <version>', 'A2A version of an interface')
    .option('--since <seconds>', 'published at or after this time (epoch seconds)', wholeNumber)
    .option('--include-nonconformant', 'also cards that were imported although they break rules of A2A')
    .option('--facet <name>', 'count the values of a property, such as tags or verdicts (repeatable)', collect)
    .addOption(new Option('--sort <order>', 'order of the hits; default: by relevance if there is a text').choices(['relevance', 'newest']))
    .action((words: readonly string[], { tag, mode, facet, since, ...flags }: SearchFlags) => {
      const { skill, organisation, namespace, verdict, binding, capability, extension, protocolVersion, includeNonconformant, sort } = flags
      const filters = {
        skill,
        organisation,
        namespace,
        verdict,
        binding,
        capability,
        extension,
        protocolVersion,
        includeNonconformant,
        sort,
      }
      const text = words.length > 0 ? words.join(' ') : undefined
      return call(
        flags,
        'query',
        'discovery.search',
        definedIn({ text, ...filters, tags: tag, modes: mode, facets: facet, publishedSince: since }),
      )
    })
  common(program.command('suggest <text...>'))
    .description('complete the last word of a text by words of published cards')
    .action((words: readonly string[], flags: CommonFlags) => call(flags, 'query', 'discovery.suggest', { text: words.join(' ') }))
}

const definedIn = (input: object): object => Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined))

function wholeNumber(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError('expected epoch seconds, such as 1767225600')
  return Number(text)
}
