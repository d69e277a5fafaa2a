import { type Command, Option } from 'commander'
import { confirmAgent, issuerOf } from '../../client/index.js'
import type { AgentView } from '../../identity/agents/get.js'
import {
  type CommonFlags,
  call,
  collect,
  endingOptions,
  fetchOf,
  keptKey,
  type ListFlags,
  listOptions,
  NOTE,
  openAgent,
  profilesOf,
  registryOption,
  restrictionsOf,
  secretOf,
  showOptions,
  understandsOption,
  wholeNumber,
  wholeNumberOrZero,
} from '../context.js'
import { callEnding } from '../endings/confirm.js'
import { endingOfAgent, endingOfSuspension } from '../endings/describe.js'
import { refuseUsage } from '../errors.js'
import { type ListView, list } from '../lists/list.js'
import { agentIdOf, orgIdOf, rightOf } from '../names.js'
import { print, withProgress } from '../output.js'
import { connectCommand } from './profile/connect.js'

/** The flags of a ceiling. */
export interface CeilingFlags {
  readonly call?: readonly string[]
  readonly scope?: readonly string[]
  readonly tool?: readonly string[]
  readonly resource?: readonly string[]
  readonly tokenSeconds?: number
  readonly depth?: number
}

interface TermsFlags extends CeilingFlags {
  readonly introductionPolicy?: string
  readonly capabilityPolicy?: string
  readonly understands?: string
}

interface ProseFlags {
  readonly description?: string
  readonly type?: string
  readonly maxScopeLevel?: string
}

interface ChangeFlags extends ProseFlags {
  readonly name?: string
  readonly addCall?: readonly string[]
  readonly removeCall?: readonly string[]
  readonly note?: string
}

const AGENTS: ListView<AgentView> = {
  path: 'agents.list',
  columns: [
    { name: 'id', value: ({ agentId }) => agentId, kind: 'id' },
    { name: 'name', value: ({ name }) => name },
    { name: 'state', value: ({ state }) => state, kind: 'state' },
    { name: 'registered', value: ({ registeredAt }) => registeredAt, kind: 'time' },
    { name: 'introductions', value: ({ introductionPolicy }) => introductionPolicy.mode },
    { name: 'parent', value: ({ parent }) => parent, kind: 'id' },
    { name: 'ended', value: ({ endedAt }) => endedAt, kind: 'time' },
    { name: 'reason', value: ({ reason }) => reason },
    { name: 'type', value: ({ agentType }) => agentType, kind: 'detail' },
    { name: 'scope level', value: ({ maxScopeLevel }) => maxScopeLevel, kind: 'detail' },
    { name: 'description', value: ({ description }) => description, kind: 'detail' },
    { name: 'audience', value: ({ audience }) => audience, kind: 'detail' },
    { name: 'organisation', value: ({ orgId }) => orgId, kind: 'detail' },
  ],
  fields: {
    agentId: true,
    orgId: true,
    name: true,
    description: true,
    agentType: true,
    maxScopeLevel: true,
    audience: true,
    state: true,
    parent: true,
    memberId: true,
    ceiling: true,
    introductionPolicy: true,
    understands: true,
    registeredAt: true,
    clientUri: true,
    redirectUris: true,
    handles: true,
    keysRetireAt: true,
    endedAt: true,
    endedBy: true,
    reason: true,
    note: true,
  },
}

/** `credence agent …`. */
export function agentCommands(program: Command, common: (command: Command) => Command): void {
  const agent = program.command('agent').description('register, confirm, connect, list, change, suspend, reinstate and revoke agents')
  termsOptions(common(agent.command('register <name>')))
    .description('register an agent and print its registration token; the agent is active once its own key confirms')
    .option('--description <text>', 'for the people of the organisation')
    .option('--type <type>', 'the kind of agent, such as planner; its tokens name it')
    .option('--max-scope-level <level>', 'a level of the organisation, within which the ceiling stays')
    .addOption(understandsOption())
    .action(async (name: string, { description, type, maxScopeLevel, ...flags }: CommonFlags & TermsFlags & ProseFlags) =>
      call(flags, 'mutate', 'agents.register', {
        name,
        ...(description !== undefined && { description }),
        ...(type !== undefined && { agentType: type }),
        ...(maxScopeLevel !== undefined && { maxScopeLevel }),
        ceiling: {},
        ...(await termsOf(flags)),
      }),
    )
  termsOptions(common(agent.command('admit <clientId>')))
    .description(
      'register an agent whose client id is the URL of its metadata; it is active once it authenticates with a key of the document',
    )
    .requiredOption('--name <name>', 'display name')
    .action(async (clientId: string, { name, ...flags }: CommonFlags & TermsFlags & { readonly name: string }) =>
      call(flags, 'mutate', 'agents.admit', { clientId, name, ...(await termsOf(flags)) }),
    )
  common(agent.command('confirm <agentId>'))
    .description('create the key of the agent on this machine and confirm its registration; --profile names the new profile')
    .addOption(registryOption())
    .addOption(
      new Option('--token <token>', 'registration token that `agent register` printed; - reads standard input').env(
        'CREDENCE_REGISTRATION_TOKEN',
      ),
    )
    .option('--jwk <file>', 'private JWK of the key to register; - reads standard input (default: a new key)')
    .action(confirm)
  connectCommand(agent, common)
  listOptions(agent.command('list'))
    .description('list the agents of the organisation of this member, or those that this agent registered')
    .option('--org <organisation>', 'organisation, by id or name (operators; default: their own)')
    .action(async ({ org, ...flags }: ListFlags & { readonly org?: string }) =>
      list(flags, AGENTS, org === undefined ? {} : { orgId: await orgIdOf((await openAgent(flags)).agent, org) }),
    )
  showOptions(agent.command('show <agent>'))
    .description('show one agent with its ceiling and introduction policy')
    .action(async (named: string, flags: CommonFlags) => {
      const { agent } = await openAgent(flags)
      const shown = await agent.query<AgentView>('agents.get', { agentId: await agentIdOf(agent, named) })
      print(flags, shown, Object.keys(AGENTS.fields))
    })
  termsOptions(common(agent.command('change <agent>')))
    .description('change an agent; a new ceiling replaces the old one as a whole')
    .option('--name <name>', 'display name')
    .option('--description <text>', 'for the people of the organisation; an empty text removes it')
    .option('--type <type>', 'the kind of agent; an empty text removes it')
    .addOption(understandsOption())
    .option('--max-scope-level <level>', 'a level of the organisation, within which the ceiling stays; an empty text removes it')
    .option(
      '--add-call <agent=scope>',
      'add a right to the ceiling, towards an agent or the URI of a resource; the rest stays (repeatable)',
      collect,
    )
    .option('--remove-call <agent=scope>', 'remove a right from the ceiling (repeatable)', collect)
    .option('--note <text>', NOTE)
    .action(async (named: string, flags: CommonFlags & TermsFlags & ChangeFlags) => {
      const changes = { ...(await termsOf(flags)), ...(await changesOf(flags)) }
      return call(flags, 'mutate', 'agents.change', { agentId: await agentIdOf((await openAgent(flags)).agent, named), ...changes })
    })
  endingOptions(common(agent.command('suspend <agent>')))
    .description('stop the agent until it is reinstated; its tokens are revoked')
    .action((named: string, flags: CommonFlags) =>
      callEnding(flags, 'agents.suspend', {
        inputOf: async (agent) => ({ agentId: await agentIdOf(agent, named) }),
        describe: endingOfSuspension,
      }),
    )
  common(agent.command('reinstate <agent>'))
    .description(
      'let a suspended agent act again; its introductions must be requested again, and only the audit log still shows the suspension',
    )
    .action(async (named: string, flags: CommonFlags) =>
      call(flags, 'mutate', 'agents.reinstate', { agentId: await agentIdOf((await openAgent(flags)).agent, named) }),
    )
  endingOptions(common(agent.command('revoke <agent>')))
    .description('permanently revoke the agent with its keys, introductions, tasks and tokens')
    .action((named: string, flags: CommonFlags) =>
      callEnding(flags, 'agents.revoke', {
        inputOf: async (agent) => ({ agentId: await agentIdOf(agent, named) }),
        describe: endingOfAgent,
      }),
    )
}

const termsOptions = (command: Command): Command =>
  ceilingOptions(command)
    .option('--introduction-policy <mode>', 'how introduction requests are decided: open, ask or closed')
    .option(
      '--capability-policy <mode>',
      'how requests for a capability are decided, with --introduction-policy: ask (default), open (like other requests) or closed',
    )

export const ceilingOptions = (command: Command): Command =>
  command
    .option(
      '--call <agent=scope>',
      'ceiling: a right towards another agent (by audience, id or name), a protected resource (by URI), any agent (any=<scope>) or those of an organisation (<org id>=<scope>) (repeatable)',
      collect,
    )
    .option('--scope <scope>', 'ceiling: a scope at the registry (repeatable; default: all but admin and agents:write)', collect)
    .option('--tool <name>', 'ceiling: a tool that the agent may use (repeatable; default: any)', collect)
    .option('--resource <name>', 'ceiling: a resource that the agent may use (repeatable; default: any)', collect)
    .option('--token-seconds <n>', 'ceiling: maximum lifetime of a token, in seconds', wholeNumber)
    .option('--depth <n>', 'ceiling: maximum delegation depth', wholeNumberOrZero)

async function termsOf(
  flags: CommonFlags & TermsFlags,
): Promise<{ ceiling?: object; introductionPolicy?: object; understands?: readonly string[] }> {
  if (flags.capabilityPolicy && !flags.introductionPolicy)
    refuseUsage('--capability-policy needs --introduction-policy, because a policy is replaced as a whole')
  const ceiling = await ceilingOfFlags(flags)
  return {
    ...(Object.keys(ceiling).length > 0 && { ceiling }),
    ...(flags.introductionPolicy && { introductionPolicy: policyOf(flags.introductionPolicy, flags.capabilityPolicy) }),
    ...(flags.understands && { understands: restrictionsOf(flags.understands) }),
  }
}

export async function ceilingOfFlags(flags: CommonFlags & CeilingFlags): Promise<object> {
  return {
    ...(flags.scope && { scopes: flags.scope }),
    ...(flags.call && { rights: await rightsOf(flags, flags.call) }),
    ...(flags.tool && { tools: flags.tool }),
    ...(flags.resource && { resources: flags.resource }),
    ...(flags.tokenSeconds !== undefined && { tokenSeconds: flags.tokenSeconds }),
    ...(flags.depth !== undefined && { delegationDepth: flags.depth }),
  }
}

const policyOf = (mode: string, capabilities: string | undefined): object => ({ mode, ...(capabilities && { capabilities }) })

async function changesOf({
  name,
  description,
  type,
  maxScopeLevel,
  addCall,
  removeCall,
  note,
  ...flags
}: CommonFlags & ChangeFlags): Promise<object> {
  return {
    ...(name && { name }),
    ...(note && { note }),
    // An empty text removes it
    ...(description !== undefined && { description: description || null }),
    ...(type !== undefined && { agentType: type || null }),
    ...(maxScopeLevel !== undefined && { maxScopeLevel: maxScopeLevel || null }),
    ...(addCall && { addRights: await rightsOf(flags, addCall) }),
    ...(removeCall && { removeRights: await rightsOf(flags, removeCall) }),
  }
}

async function rightsOf(flags: CommonFlags, texts: readonly string[]): Promise<readonly object[]> {
  const { agent } = await openAgent(flags)
  return Promise.all(texts.map((text) => rightOf(agent, text)))
}

async function confirm(agentId: string, flags: CommonFlags & { registry: string; token?: string; jwk?: string }): Promise<void> {
  if (flags.token === '-' && flags.jwk === '-') refuseUsage('--token and --jwk cannot both read standard input')
  const registrationToken = await secretOf(flags.token, 'registration token')
  const { privateJwk, signer, keyFile } = await keptKey(flags, flags.jwk)
  const confirmed = await withProgress('confirming', () =>
    confirmAgent({ issuer: flags.registry, agentId, registrationToken, signer, fetch: fetchOf(flags) }),
  )
  const written = profilesOf(flags).write(flags.profile, { registry: issuerOf(flags.registry), clientId: agentId, privateJwk })
  print(flags, { ...confirmed, keyFile, ...written })
}
