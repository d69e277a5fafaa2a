import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Hit, SearchOptions, SearchResult } from '../../protocol/search.js'
import { type CommonFlags, collect, definedIn, type ListFlags, listOptions, openAgent, showOptions } from '../context.js'
import { type ListView, printList, readOf } from '../lists/list.js'
import { orgIdOf } from '../names.js'
import { print, printLines, printTable } from '../output.js'

const HITS: ListView<Hit> = {
  path: 'discovery.search',
  itemsIn: 'hits',
  columns: [
    { name: 'id', value: ({ agentId }) => agentId, kind: 'id' },
    { name: 'name', value: ({ text }) => text.name },
    { name: 'verdict', value: ({ verdict }) => verdict.state, kind: 'state' },
    { name: 'score', value: ({ score }) => score, rank: 6 },
    { name: 'scopes', value: ({ scopes }) => scopes },
    { name: 'skills', value: ({ skills }) => skills.map(({ name }) => name).join(', ') },
    { name: 'description', value: ({ text }) => text.description, rank: 7 },
    { name: 'deprecated', value: ({ deprecated }) => deprecated?.at, kind: 'time' },
    { name: 'organisation', value: ({ orgId }) => orgId, kind: 'detail' },
    { name: 'audience', value: ({ audience }) => audience, kind: 'detail' },
    { name: 'endpoint', value: ({ endpoint }) => endpoint, kind: 'detail' },
  ],
  fields: {
    agentId: true,
    orgId: true,
    audience: true,
    cardBaseUrl: true,
    endpoint: true,
    scopes: true,
    verdict: true,
    tier: true,
    score: true,
    why: true,
    deprecated: true,
    text: true,
    skills: true,
  },
}

interface SearchFlags extends ListFlags, Omit<SearchOptions, 'text' | 'tags' | 'modes' | 'facets' | 'limit' | 'cursor' | 'publishedSince'> {
  readonly tag?: readonly string[]
  readonly mode?: readonly string[]
  readonly facet?: readonly string[]
  readonly since?: number
}

/** `credence search` and `credence suggest`. */
export function searchCommand(program: Command): void {
  listOptions(program.command('search [text...]'))
    .description('find agents by words or a task in a sentence, and by properties of their cards; all filters must match')
    .option('--skill <id>', 'id of a skill that the card must list')
    .option('--tag <tag>', 'tag that a skill of the card must have (repeatable)', collect)
    .option('--organisation <organisation>', 'organisation that the agent belongs to, by id; your own also by name')
    .option('--namespace <name>', 'DNS name that its organisation has proved')
    .option('--verdict <state>', 'state of the verdict on the card, such as signed or verified')
    .option('--mode <type>', 'media type that the agent accepts or returns (repeatable)', collect)
    .option('--binding <name>', 'protocol binding of an interface, such as JSONRPC')
    .addOption(new Option('--capability <name>', 'capability of the card').choices(['streaming', 'pushNotifications', 'extendedAgentCard']))
    .option('--extension <uri>', 'URI of an A2A extension that the card declares')
    .option('--protocol-version <version>', 'A2A version of an interface')
    .option('--since <seconds>', 'published at or after this time (ISO 8601 or epoch seconds)', epochSeconds)
    .option('--include-nonconformant', 'also cards that were imported although they break rules of A2A')
    .option('--facet <name>', 'count the values of a property, such as tags or verdicts (repeatable)', collect)
    .addOption(new Option('--sort <order>', 'order of the hits; default: by relevance if there is a text').choices(['relevance', 'newest']))
    .action(search)
  showOptions(program.command('suggest <text...>'))
    .description('complete the last word of a text by words of published cards')
    .action(async (words: readonly string[], flags: CommonFlags) => {
      const { agent } = await openAgent(flags)
      const suggestions = await agent.suggest(words.join(' '))
      if (flags.json) print(flags, { suggestions })
      else printLines(...suggestions)
    })
}

async function search(words: readonly string[], flags: SearchFlags): Promise<void> {
  const { agent } = await openAgent(flags)
  const { tag: tags, mode: modes, facet, since: publishedSince, cursor, skill, namespace, verdict, binding, capability } = flags
  const { extension, protocolVersion, includeNonconformant, sort } = flags
  const organisation = flags.organisation === undefined ? undefined : await orgIdOf(agent, flags.organisation)
  const criteria = { skill, organisation, namespace, verdict, binding, capability, extension, protocolVersion, includeNonconformant, sort }
  const text = words.length > 0 ? words.join(' ') : undefined
  const read = readOf<Hit>(agent, HITS, definedIn({ text, ...criteria, tags, modes, facets: facet, publishedSince, cursor }))
  let facets: SearchResult['facets']
  await printList(flags, HITS, async (limit) => {
    const batch = await read(limit)
    facets ??= batch.others.facets as SearchResult['facets'] // a member of the response
    return batch
  })
  if (facets !== undefined && !flags.json) printFacets(facets)
}

/** A second table, after an empty line. */
function printFacets(facets: NonNullable<SearchResult['facets']>): void {
  const rows = Object.entries(facets).flatMap(([facet, values]) => values.map((one) => ({ facet, ...one })))
  printLines('')
  printTable(
    [
      { name: 'facet', value: ({ facet }) => facet },
      { name: 'value', value: ({ value }) => value, kind: 'id' },
      { name: 'count', value: ({ count }) => count },
    ],
    rows,
  )
}

function epochSeconds(text: string): number {
  const seconds = /^\d{1,12}$/.test(text) ? Number(text) : Date.parse(text) / 1000
  if (!Number.isFinite(seconds) || !/^\d/.test(text))
    throw new InvalidArgumentError('expected a time, such as 2026-01-01T00:00:00Z or 1767225600')
  return Math.floor(seconds)
}
