import { type Command, Option } from 'commander'
import type { Agent } from '../../../client/index.js'
import type { ResourceView } from '../../../delegation/resources/view.js'
import {
  type CommonFlags,
  call,
  collect,
  definedIn,
  endingOptions,
  type ListFlags,
  listOptions,
  openAgent,
  restrictionsOf,
  showOptions,
  understandsOption,
  wholeNumber,
  wholeNumberOrZero,
} from '../../context.js'
import { callEnding } from '../../endings/confirm.js'
import { endingOfResource } from '../../endings/describe.js'
import { refuseUsage } from '../../errors.js'
import { type ListView, list } from '../../lists/list.js'
import { agentIdOf, orgIdOf, resourceIdOf } from '../../names.js'
import { print } from '../../output.js'

const RESOURCES: ListView<ResourceView> = {
  path: 'resources.list',
  columns: [
    { name: 'id', value: ({ resourceId }) => resourceId, kind: 'id' },
    { name: 'uri', value: ({ uri }) => uri },
    { name: 'name', value: ({ name }) => name },
    { name: 'state', value: ({ state }) => state, kind: 'state' },
    { name: 'scopes', value: ({ scopes }) => scopes.map(({ scope }) => scope) },
    { name: 'introductions', value: ({ policy }) => policy.mode },
    { name: 'bearer', value: ({ bearer }) => bearer },
    { name: 'registered', value: ({ createdAt }) => createdAt, kind: 'time' },
    { name: 'operator agent', value: ({ operatorAgentId }) => operatorAgentId, kind: 'detail' },
    { name: 'organisation', value: ({ orgId }) => orgId, kind: 'detail' },
  ],
  fields: {
    resourceId: true,
    orgId: true,
    uri: true,
    name: true,
    state: true,
    description: true,
    documentation: true,
    scopes: true,
    policy: true,
    bearer: true,
    operatorAgentId: true,
    understands: true,
    createdAt: true,
    createdBy: true,
    changedAt: true,
    provedAt: true,
    revokedAt: true,
    wellKnownUrl: true,
    document: true,
    handles: true,
  },
}

interface SettingsFlags extends CommonFlags {
  readonly name?: string
  readonly description?: string
  readonly documentation?: string
  readonly scope?: readonly string[]
  readonly scopeSeconds?: readonly string[]
  readonly scopeCost?: readonly string[]
  readonly scopeApproval?: readonly string[]
  readonly policy?: string
  readonly policyOrganisation?: readonly string[]
  readonly policyScope?: readonly string[]
  readonly policySeconds?: number
  readonly externalClients?: string
  readonly people?: string
  readonly bearer?: string
  readonly operatorAgent?: string
  readonly understands?: string
}

/** `credence resource …`. */
export function resourceCommands(program: Command, common: (command: Command) => Command): void {
  const resource = program
    .command('resource')
    .description('register, prove, list, change and revoke protected resources: APIs and MCP servers')
  settingsOptions(common(resource.command('register <uri>')))
    .description('register a protected resource and print the metadata document that its server must serve')
    .action(async (uri: string, flags: SettingsFlags) => {
      if (flags.name === undefined || flags.scope === undefined) refuseUsage('a resource needs --name and at least one --scope')
      return call(flags, 'mutate', 'resources.register', { uri, ...(await settingsOf(flags)) })
    })
  listOptions(resource.command('list'))
    .description('list the protected resources of an organisation, newest first')
    .option('--org <organisation>', 'organisation, by id or name (operators; default: their own)')
    .action(async ({ org, ...flags }: ListFlags & { readonly org?: string }) =>
      list(flags, RESOURCES, org === undefined ? {} : { orgId: await orgIdOf((await openAgent(flags)).agent, org) }),
    )
  showOptions(resource.command('show <resource>'))
    .description('show one resource, by its URI, name or id, with its metadata document and where its server must serve it')
    .action(async (named: string, flags: CommonFlags) => {
      const { agent } = await openAgent(flags)
      print(flags, await agent.query<ResourceView>('resources.get', await inputOf(agent, named)), Object.keys(RESOURCES.fields))
    })
  settingsOptions(common(resource.command('change <resource>')))
    .description(
      'change settings; new scopes or a new policy replace the old ones as a whole. All but prose and added scopes ends issued tokens',
    )
    .action(async (named: string, flags: SettingsFlags) => {
      const changes = await settingsOf(flags)
      if (Object.keys(changes).length === 0) refuseUsage('nothing to change: give at least one setting')
      return call(flags, 'mutate', 'resources.change', { ...(await inputOf((await openAgent(flags)).agent, named)), ...changes })
    })
  common(resource.command('prove <resource>'))
    .description('read the metadata document at the server of the resource; from then on the resource may have tokens')
    .action(async (named: string, flags: CommonFlags) =>
      call(flags, 'mutate', 'resources.prove', await inputOf((await openAgent(flags)).agent, named)),
    )
  common(resource.command('confirm <resource>'))
    .description('accept a resource whose server the registry cannot reach (operators); one of another organisation by its id')
    .action(async (named: string, flags: CommonFlags) =>
      call(flags, 'mutate', 'resources.confirm', await inputOf((await openAgent(flags)).agent, named)),
    )
  endingOptions(common(resource.command('revoke <resource>')))
    .description('permanently revoke a resource with every introduction to it and every token for it')
    .action((named: string, flags: CommonFlags) =>
      callEnding(flags, 'resources.revoke', { inputOf: (agent) => inputOf(agent, named), describe: endingOfResource }),
    )
}

const inputOf = async (agent: Agent, named: string): Promise<{ readonly resourceId: string }> => ({
  resourceId: await resourceIdOf(agent, named),
})

const settingsOptions = (command: Command): Command =>
  command
    .option('--name <name>', 'display name')
    .option('--description <text>', 'description; an empty text removes it')
    .option('--documentation <url>', 'https URL of a page for developers; an empty text removes it')
    .option('--scope <scope=words>', 'a scope, and in words what it allows (repeatable)', collect)
    .option('--scope-seconds <scope=n>', 'lifetime of a token with this scope, 30 to 3600 (repeatable; default: 300)', collect)
    .option('--scope-cost <scope=n>', 'units of a budget that a call with this scope costs (repeatable; default: 0)', collect)
    .option('--scope-approval <scope>', 'scope for which a member of the organisation must approve each token (repeatable)', collect)
    .addOption(new Option('--policy <mode>', 'how introductions are decided (default: ask)').choices(['open', 'ask', 'closed']))
    .option('--policy-organisation <organisation>', 'only for agents of this organisation, with --policy (repeatable)', collect)
    .option('--policy-scope <scope>', 'scope that `open` grants, with --policy (repeatable; default: all)', collect)
    .option('--policy-seconds <n>', 'maximum lifetime of an introduction, with --policy (default: 30 days)', wholeNumber)
    .addOption(
      new Option('--external-clients <which>', 'external clients without an introduction, with --policy (default: none)').choices([
        'none',
        'withPerson',
        'any',
      ]),
    )
    .addOption(
      new Option('--people <whose>', 'whose people may let clients act for them here, with --policy (default: organisation)').choices([
        'organisation',
        'any',
      ]),
    )
    .addOption(new Option('--bearer <choice>', 'tokens without proof of possession (default: refused)').choices(['refused', 'allowed']))
    .option('--operator-agent <agent>', 'agent under which its server acts at the registry; an empty text removes it')
    .addOption(understandsOption())

async function settingsOf(flags: SettingsFlags): Promise<object> {
  const { name, description, documentation, scope, scopeSeconds = [], scopeCost = [], scopeApproval = [] } = flags
  const { bearer, operatorAgent, understands } = flags
  if (scopeSeconds.length + scopeCost.length + scopeApproval.length > 0 && !scope)
    refuseUsage('--scope-seconds, --scope-cost and --scope-approval need --scope, because the scopes are replaced as a whole')
  return definedIn({
    name,
    description: description === '' ? null : description,
    documentation: documentation === '' ? null : documentation,
    scopes: scope && scopesOf(scope, { scopeSeconds, scopeCost, scopeApproval }),
    policy: await policyOf(flags),
    bearer,
    operatorAgentId: operatorAgent === '' ? null : operatorAgent && (await agentIdOf((await openAgent(flags)).agent, operatorAgent)),
    understands: understands && restrictionsOf(understands),
  })
}

function scopesOf(
  texts: readonly string[],
  { scopeSeconds, scopeCost, scopeApproval }: Required<Pick<SettingsFlags, 'scopeSeconds' | 'scopeCost' | 'scopeApproval'>>,
): readonly object[] {
  const scopes = texts.map((text) => pairOf(text, '--scope <scope>=<words>, such as files:read="Read files"'))
  const requireKnown = (option: string, named: Iterable<string>): void => {
    const unknown = [...named].find((scope) => !scopes.some(([known]) => known === scope))
    if (unknown !== undefined) refuseUsage(`${option} ${unknown}: no --scope names this scope`)
  }
  const numbersOf = (option: string, given: readonly string[], parse: (text: string) => number): ReadonlyMap<string, number> => {
    const numbers = new Map(given.map((text) => pairOf(text, `${option} <scope>=<number>`)).map(([scope, text]) => [scope, parse(text)]))
    requireKnown(option, numbers.keys())
    return numbers
  }
  const lifetimes = numbersOf('--scope-seconds', scopeSeconds, wholeNumber)
  const costs = numbersOf('--scope-cost', scopeCost, wholeNumberOrZero)
  requireKnown('--scope-approval', scopeApproval)
  return scopes.map(([scope, words]) =>
    definedIn({
      scope,
      words,
      seconds: lifetimes.get(scope),
      cost: costs.get(scope),
      approval: scopeApproval.includes(scope) ? 'organisation' : undefined,
    }),
  )
}

/** Splits at the first `=`, because words may contain it. */
function pairOf(text: string, expected: string): readonly [string, string] {
  const at = text.indexOf('=')
  return at > 0 && at < text.length - 1 ? [text.slice(0, at), text.slice(at + 1)] : refuseUsage(`${text}: expected ${expected}`)
}

async function policyOf(flags: SettingsFlags): Promise<object | undefined> {
  const { policy: mode, policyOrganisation, policyScope, policySeconds, externalClients, people } = flags
  if (mode !== undefined) {
    const organisations =
      policyOrganisation && (await Promise.all(policyOrganisation.map(async (text) => orgIdOf((await openAgent(flags)).agent, text))))
    return definedIn({ mode, organisations, scopes: policyScope, maxSeconds: policySeconds, externalClients, people })
  }
  return policyOrganisation || policyScope || policySeconds !== undefined || externalClients !== undefined || people !== undefined
    ? refuseUsage('--external-clients, --people and the --policy-… options need --policy, because a policy is replaced as a whole')
    : undefined
}
