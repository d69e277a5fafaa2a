import { type Command, Option } from 'commander'
import { refuse } from '../../errors.js'
import { isJsonObject, parseJson } from '../../lib/json.js'
import type { CardVersion } from '../../protocol/cards/card-versions.js'
import { Tier } from '../../protocol/cards/release-policy.js'
import { EndReason } from '../../protocol/end-reason.js'
import { AgentId } from '../../protocol/ids.js'
import {
  type CommonFlags,
  call,
  collect,
  confirmationOptions,
  endingOptions,
  type ListFlags,
  listOptions,
  openAgent,
  showOptions,
  textOfFile,
} from '../context.js'
import { callEnding } from '../endings/confirm.js'
import { endingOfCard } from '../endings/describe.js'
import { refuseUsage } from '../errors.js'
import { lintCommand } from '../lint/command.js'
import { type ListView, list } from '../lists/list.js'
import { agentIdOf } from '../names.js'
import { print, withProgress } from '../output.js'

const VERSIONS: ListView<CardVersion> = {
  path: 'cards.history',
  columns: [
    { name: 'version', value: ({ version }) => version, kind: 'id' },
    { name: 'state', value: ({ state }) => state, kind: 'state' },
    { name: 'verdict', value: ({ verdict }) => verdict.state, kind: 'state' },
    { name: 'name', value: ({ text }) => text?.name, rank: 5 },
    { name: 'published', value: ({ publishedAt }) => publishedAt, kind: 'time' },
    { name: 'replaced', value: ({ replacedAt }) => replacedAt, kind: 'time' },
    { name: 'deprecated', value: ({ deprecated }) => deprecated?.at, kind: 'time' },
    { name: 'yanked', value: ({ yanked }) => yanked?.at, kind: 'time' },
    { name: 'note', value: ({ yanked }) => yanked?.note },
    { name: 'etag', value: ({ etag }) => etag, kind: 'detail' },
  ],
  fields: {
    version: true,
    state: true,
    publishedAt: true,
    replacedAt: true,
    etag: true,
    verdict: true,
    text: true,
    deprecated: true,
    yanked: true,
  },
}

const PUBLIC_NOTE = 'explanation, at most 256 characters; everyone who reads the card or its history sees it'

interface PublishFlags extends CommonFlags {
  readonly hide: readonly string[]
  readonly tier: readonly string[]
}

interface ImportFlags extends CommonFlags {
  readonly catalog?: boolean
  readonly entry?: string
}

/** `credence card …`. */
export function cardCommands(program: Command, common: (command: Command) => Command): void {
  const card = program.command('card').description('check, publish, import, show, compare, deprecate, yank and unpublish Agent Cards')
  common(card.command('publish <agent> <file>'))
    .description('sign a card, make the --hide parts selectively disclosable, and publish it')
    .option('--hide <pointer>', 'JSON Pointer of a part that is not public (repeatable)', collect, [])
    .option('--tier <pointer=tier>', 'tier of a non-public part: authenticated, introduced (default) or private (repeatable)', collect, [])
    .action(publish)
  common(card.command('import <agent> <source>'))
    .description('store an existing card unchanged, with a verdict on its signatures; <source> is a file, the URL of a card, or a site')
    .option('--catalog', 'the URL is that of an AI Catalog, or of a site that has one at /.well-known/ai-catalog.json')
    .option('--entry <identifier>', 'entry of the catalog, if it has several agent cards')
    .action(importFrom)
  lintCommand(card)
  common(card.command('freshness <agent>'))
    .description('compare the published card with the one that the agent serves itself, and ask its endpoint; once a day')
    .action((named: string, flags: CommonFlags) => callFor(named, flags, 'cards.checkFreshness'))
  showOptions(card.command('show <agent>'))
    .description('show the parts of a card that the profile may see, verified back to the key of its publisher')
    .action(async (named: string, flags: CommonFlags) => {
      const { agent } = await openAgent(flags)
      const agentId = AgentId.parse(await agentIdOf(agent, named))
      print(flags, await withProgress('reading the card', () => agent.card(agentId)))
    })
  listOptions(card.command('history <agent>'))
    .description('list the versions of a public card, newest first')
    .action(async (named: string, flags: ListFlags) =>
      list(flags, VERSIONS, { agentId: await agentIdOf((await openAgent(flags)).agent, named) }),
    )
  showOptions(card.command('diff <agent> <from> [to]'))
    .description('say what changes for callers between two versions of a public card (default: up to the current one)')
    .action((named: string, from: string, to: string | undefined, flags: CommonFlags) =>
      callFor(named, flags, 'cards.diff', { from: versionOf(from), ...(to !== undefined && { to: versionOf(to) }) }, 'query'),
    )
  common(card.command('deprecate <agent>'))
    .description('advise callers against the current version of a card; nothing ends')
    .option('--successor <agent>', 'agent to call in its place')
    .option('--note <text>', PUBLIC_NOTE)
    .action(async (named: string, flags: CommonFlags & { successor?: string }) => {
      const { agent } = await openAgent(flags)
      const successor = flags.successor && (await agentIdOf(agent, flags.successor))
      return callFor(named, flags, 'cards.deprecate', successor ? { successor } : {})
    })
  common(card.command('undeprecate <agent>'))
    .description('take a deprecation back')
    .action((named: string, flags: CommonFlags) => callFor(named, flags, 'cards.undeprecate'))
  confirmationOptions(common(card.command('yank <agent> <version>')))
    .description('withdraw a version of a card; introductions that were approved for it need another approval')
    .addOption(new Option('--reason <reason>', 'why it is withdrawn, shown to everyone').choices(EndReason.options))
    .option('--note <text>', PUBLIC_NOTE)
    .action((named: string, version: string, flags: CommonFlags) =>
      callEnding(flags, 'cards.yank', {
        inputOf: async (agent) => ({ version: versionOf(version), agentId: await agentIdOf(agent, named) }),
        describe: endingOfCard,
      }),
    )
  endingOptions(common(card.command('unpublish <agent>')))
    .description('withdraw a card from readers and from search; its introductions need another approval after the next publication')
    .action((named: string, flags: CommonFlags) =>
      callEnding(flags, 'cards.unpublish', {
        inputOf: async (agent) => ({ agentId: await agentIdOf(agent, named) }),
        describe: endingOfCard,
      }),
    )
}

/** Calls a procedure for one agent, by id or name. */
async function callFor(named: string, flags: CommonFlags, path: string, input: object = {}, kind: 'query' | 'mutate' = 'mutate') {
  return call(flags, kind, path, { agentId: await agentIdOf((await openAgent(flags)).agent, named), ...input })
}

const versionOf = (text: string): number =>
  /^\d{1,9}$/.test(text) ? Number(text) : refuseUsage(`${text}: not a version of a card (expected a number, such as 2)`)

async function importFrom(named: string, source: string, flags: ImportFlags): Promise<void> {
  const { catalog = false, entry } = flags
  if (entry !== undefined && !catalog) return refuseUsage('--entry has no effect without --catalog')
  const from = catalog
    ? { catalog: source, ...(entry !== undefined && { entry }) }
    : isUrl(source)
      ? { url: source }
      : { card: textOfFile(source) }
  return callFor(named, flags, 'cards.import', from)
}

const isUrl = (source: string): boolean => /^https?:\/\//i.test(source)

async function publish(named: string, file: string, flags: PublishFlags): Promise<void> {
  const { agent } = await openAgent(flags)
  const card = parseJson(textOfFile(file))
  if (!isJsonObject(card)) return refuse('bad_input', `${file}: not a JSON object`)
  const tiers = Object.fromEntries(flags.tier.map(tierOf))
  const agentId = AgentId.parse(await agentIdOf(agent, named))
  print(flags, await withProgress('publishing', () => agent.publish({ agentId, card, hide: flags.hide, tiers })))
}

/** Splits `<pointer>=<tier>` at the last `=`. */
function tierOf(text: string): [pointer: string, tier: Tier] {
  const at = text.lastIndexOf('=')
  if (at < 1) return refuseUsage(`--tier ${text}: expected <pointer>=<tier>, such as /skills/1=private`)
  const tier = Tier.safeParse(text.slice(at + 1))
  if (!tier.success) return refuseUsage(`--tier ${text}: the tier must be one of ${Tier.options.join(', ')}`)
  return [text.slice(0, at), tier.data]
}
