import { type Command, Option } from 'commander'
import { refuse } from '../../errors.js'
import { isJsonObject, parseJson } from '../../lib/json.js'
import { Tier } from '../../protocol/cards/release-policy.js'
import { EndReason } from '../../protocol/end-reason.js'
import { AgentId } from '../../protocol/ids.js'
import { type CommonFlags, call, collect, endingOptions, listOptions, openAgent, textOfFile } from '../context.js'
import { lintCommand } from '../lint/command.js'
import { print } from '../output.js'

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
  common(card.command('publish <agentId> <file>'))
    .description('sign a card, make the --hide parts selectively disclosable, and publish it')
    .option('--hide <pointer>', 'JSON Pointer of a part that is not public (repeatable)', collect, [])
    .option('--tier <pointer=tier>', 'tier of a non-public part: authenticated, introduced (default) or private (repeatable)', collect, [])
    .action(publish)
  common(card.command('import <agentId> <source>'))
    .description('store an existing card unchanged, with a verdict on its signatures; <source> is a file, the URL of a card, or a site')
    .option('--catalog', 'the URL is that of an AI Catalog, or of a site that has one at /.well-known/ai-catalog.json')
    .option('--entry <identifier>', 'entry of the catalog, if it has several agent cards')
    .action(importFrom)
  lintCommand(card)
  common(card.command('freshness <agentId>'))
    .description('compare the published card with the one that the agent serves itself, and ask its endpoint; once a day')
    .action((agentId: string, flags: CommonFlags) => call(flags, 'mutate', 'cards.checkFreshness', { agentId }))
  common(card.command('show <agentId>'))
    .description('show the parts of a card that the profile may see, verified back to the key of its publisher')
    .action(async (agentId: string, flags: CommonFlags) => {
      const { agent } = await openAgent(flags)
      print(flags, await agent.card(AgentId.parse(agentId)))
    })
  listOptions(common(card.command('history <agentId>')))
    .description('list the versions of a public card, newest first')
    .action((agentId: string, flags: CommonFlags) => call(flags, 'query', 'cards.history', { agentId }))
  common(card.command('diff <agentId> <from> [to]'))
    .description('say what changes for callers between two versions of a public card (default: up to the current one)')
    .action((agentId: string, from: string, to: string | undefined, flags: CommonFlags) =>
      call(flags, 'query', 'cards.diff', { agentId, from: Number(from), ...(to !== undefined && { to: Number(to) }) }),
    )
  common(card.command('deprecate <agentId>'))
    .description('advise callers against the current version of a card; nothing ends')
    .option('--successor <agentId>', 'agent to call in its place')
    .option('--note <text>', PUBLIC_NOTE)
    .action((agentId: string, flags: CommonFlags & { successor?: string }) =>
      call(flags, 'mutate', 'cards.deprecate', { agentId, ...(flags.successor && { successor: flags.successor }) }),
    )
  common(card.command('undeprecate <agentId>'))
    .description('take a deprecation back')
    .action((agentId: string, flags: CommonFlags) => call(flags, 'mutate', 'cards.undeprecate', { agentId }))
  common(card.command('yank <agentId> <version>'))
    .description('withdraw a version of a card; introductions that were approved for it need another approval')
    .addOption(new Option('--reason <reason>', 'why it is withdrawn, shown to everyone').choices(EndReason.options))
    .option('--note <text>', PUBLIC_NOTE)
    .action((agentId: string, version: string, flags: CommonFlags) =>
      call(flags, 'mutate', 'cards.yank', { agentId, version: Number(version) }),
    )
  endingOptions(common(card.command('unpublish <agentId>')))
    .description('withdraw a card from readers and from search; its introductions need another approval after the next publication')
    .action((agentId: string, flags: CommonFlags) => call(flags, 'mutate', 'cards.unpublish', { agentId }))
}

function importFrom(agentId: string, source: string, flags: ImportFlags): Promise<void> {
  const { catalog = false, entry } = flags
  if (entry !== undefined && !catalog) return refuse('bad_input', '--entry has no effect without --catalog')
  const from = catalog
    ? { catalog: source, ...(entry !== undefined && { entry }) }
    : isUrl(source)
      ? { url: source }
      : { card: textOfFile(source) }
  return call(flags, 'mutate', 'cards.import', { agentId, ...from })
}

const isUrl = (source: string): boolean => /^https?:\/\//i.test(source)

async function publish(agentId: string, file: string, flags: PublishFlags): Promise<void> {
  const { agent } = await openAgent(flags)
  const card = parseJson(textOfFile(file))
  if (!isJsonObject(card)) return refuse('bad_input', `${file}: not a JSON object`)
  const tiers = Object.fromEntries(flags.tier.map(tierOf))
  print(flags, await agent.publish({ agentId: AgentId.parse(agentId), card, hide: flags.hide, tiers }))
}

/** Splits `<pointer>=<tier>` at the last `=`. */
function tierOf(text: string): [pointer: string, tier: Tier] {
  const at = text.lastIndexOf('=')
  if (at < 1) return refuse('bad_input', `--tier ${text}: expected <pointer>=<tier>, such as /skills/1=private`)
  return [text.slice(0, at), Tier.parse(text.slice(at + 1))]
}
