import type { Command } from 'commander'
import { refuse } from '../../errors.js'
import { isJsonObject, type JsonObject, parseJson } from '../../lib/json.js'
import { Tier } from '../../protocol/cards/release-policy.js'
import { AgentId } from '../../protocol/ids.js'
import { type CommonFlags, call, collect, openAgent, print, secondsOf, textOfFile } from '../context.js'

/** Cards, search, introductions, tasks, tokens. */
export function workCommands(program: Command, common: (command: Command) => Command): void {
  cardCommands(program, common)
  introductionCommands(program, common)
  const task = program.command('task').description('tasks: create, list, show, end')
  common(task.command('create <description>'))
    .option('--parent <taskId>')
    .option('--life <duration>', 'until its deadline', '1h')
    .action(async (description: string, flags: CommonFlags & { parent?: string; life: string }) => {
      const { agent } = await openAgent(flags)
      print(
        flags,
        await agent.tasks.create({ description, seconds: secondsOf(flags.life), ...(flags.parent && { parentTaskId: flags.parent }) }),
      )
    })
  common(task.command('list')).action((flags: CommonFlags) => call(flags, 'query', 'tasks.list', {}))
  common(task.command('show <taskId>')).action((taskId: string, flags: CommonFlags) => call(flags, 'query', 'tasks.get', { taskId }))
  common(task.command('end <taskId>')).action((taskId: string, flags: CommonFlags) => call(flags, 'mutate', 'tasks.end', { taskId }))
  common(program.command('lineage <taskOrTokenId>'))
    .description('which token came from which')
    .action((id: string, flags: CommonFlags) =>
      call(flags, 'query', 'tokens.lineage', id.startsWith('tsk_') ? { taskId: id } : { tokenId: id }),
    )
  const token = program.command('token').description('tokens: end')
  common(token.command('end <tokenId>')).action((tokenId: string, flags: CommonFlags) =>
    call(flags, 'mutate', 'tokens.revoke', { tokenId }),
  )
}

function cardCommands(program: Command, common: (command: Command) => Command): void {
  const card = program.command('card').description('Agent Cards: publish, import, show, unpublish')
  common(card.command('publish <agentId> <file>'))
    .description('signs, splits and publishes a card')
    .option('--hide <pointer>', 'JSON Pointer of a part that not everybody may see (repeat)', collect, [])
    .option('--tier <pointer=tier>', 'who may see a hidden part: authenticated, introduced (default) or private (repeat)', collect, [])
    .action(publish)
  common(card.command('import <agentId> <file>'))
    .description('stores a card as it is, with its verdict')
    .action((agentId: string, file: string, flags: CommonFlags) =>
      call(flags, 'mutate', 'cards.import', { agentId, card: textOfFile(file) }),
    )
  common(card.command('show <agentId>'))
    .description('the card as you may see it, verified back to its publisher')
    .action(async (agentId: string, flags: CommonFlags) => {
      const { agent } = await openAgent(flags)
      print(flags, await agent.card(AgentId.parse(agentId)))
    })
  common(card.command('unpublish <agentId>')).action((agentId: string, flags: CommonFlags) =>
    call(flags, 'mutate', 'cards.unpublish', { agentId }),
  )
  common(program.command('search [text...]'))
    .description('finds agents')
    .option('--skill <id>')
    .option('--tag <tag>', '(repeat)', collect)
    .action(async (words: readonly string[], flags: CommonFlags & { skill?: string; tag?: string[] }) =>
      call(flags, 'query', 'discovery.search', {
        ...(words.length > 0 && { text: words.join(' ') }),
        ...(flags.skill && { skill: flags.skill }),
        ...(flags.tag && { tags: flags.tag }),
      }),
    )
}

async function publish(
  agentId: string,
  file: string,
  flags: CommonFlags & { hide: readonly string[]; tier: readonly string[] },
): Promise<void> {
  const { agent } = await openAgent(flags)
  const card = parseJson(textOfFile(file))
  if (!isJsonObject(card)) refuse('bad_input', `${file} is not a JSON object`)
  const tiers = Object.fromEntries(
    flags.tier.map((one) => [one.slice(0, one.lastIndexOf('=')), Tier.parse(one.slice(one.lastIndexOf('=') + 1))]),
  )
  print(flags, await agent.publish({ agentId: AgentId.parse(agentId), card: card as JsonObject, hide: flags.hide, tiers }))
}

function introductionCommands(program: Command, common: (command: Command) => Command): void {
  const introduction = program.command('introduction').alias('intro').description('introductions: request, list, approve, deny, end, inbox')
  common(introduction.command('request <agentId>'))
    .requiredOption('--scope <scope>', '(repeat)', collect)
    .requiredOption('--purpose <text>')
    .action((to: string, flags: CommonFlags & { scope: string[]; purpose: string }) =>
      call(flags, 'mutate', 'introductions.request', { to, scopes: flags.scope, purpose: flags.purpose }),
    )
  common(introduction.command('list')).action((flags: CommonFlags) => call(flags, 'query', 'introductions.list', {}))
  common(introduction.command('show <introductionId>')).action((introductionId: string, flags: CommonFlags) =>
    call(flags, 'query', 'introductions.get', { introductionId }),
  )
  for (const verb of ['approve', 'deny', 'end'] as const) {
    common(introduction.command(`${verb} <introductionId>`)).action((introductionId: string, flags: CommonFlags) =>
      call(flags, 'mutate', `introductions.${verb}`, { introductionId }),
    )
  }
  common(introduction.command('inbox'))
    .option('--after <seq>', '', '0')
    .action((flags: CommonFlags & { after: string }) => call(flags, 'query', 'introductions.inbox', { after: Number(flags.after) }))
}
