import type { Command } from 'commander'
import { confirmAgent, issuerOf } from '../../client/index.js'
import { refuse } from '../../errors.js'
import { type CommonFlags, call, collect, endingOptions, keptKey, listOptions, profilesOf, rightOf } from '../context.js'
import { print } from '../output.js'

interface TermsFlags {
  readonly call?: readonly string[]
  readonly scope?: readonly string[]
  readonly tool?: readonly string[]
  readonly resource?: readonly string[]
  readonly tokenSeconds?: string
  readonly depth?: string
  readonly introductionPolicy?: string
  readonly capabilityPolicy?: string
}

interface ChangeFlags {
  readonly name?: string
  readonly addCall?: readonly string[]
  readonly removeCall?: readonly string[]
}

const STATE_CHANGES = {
  suspend: 'stop the agent until it is reinstated; its tokens are revoked',
  reinstate:
    'let a suspended agent act again; its introductions must be requested again, and only the audit log still shows the suspension',
  revoke: 'permanently revoke the agent with its keys, introductions, tasks and tokens',
} as const

/** `credence agent …`. */
export function agentCommands(program: Command, common: (command: Command) => Command): void {
  const agent = program.command('agent').description('register, confirm, list, change, suspend, reinstate and revoke agents')
  termsOptions(common(agent.command('register <name>')))
    .description('register an agent and print its registration token; the agent is active once its own key confirms')
    .action((name: string, flags: CommonFlags & TermsFlags) =>
      call(flags, 'mutate', 'agents.register', { name, ceiling: {}, ...termsOf(flags) }),
    )
  common(agent.command('confirm <agentId>'))
    .description('create the key of the agent on this machine and confirm its registration; --profile names the new profile')
    .requiredOption('--registry <url>', 'issuer URL of the registry')
    .requiredOption('--token <token>', 'registration token that `agent register` printed')
    .option('--jwk <file>', 'private JWK of the key to register; - reads standard input (default: a new key)')
    .action(confirm)
  listOptions(common(agent.command('list')))
    .description('list the agents that the profile may see')
    .action((flags: CommonFlags) => call(flags, 'query', 'agents.list', {}))
  common(agent.command('show <agentId>'))
    .description('show one agent with its ceiling and introduction policy')
    .action((agentId: string, flags: CommonFlags) => call(flags, 'query', 'agents.get', { agentId }))
  termsOptions(common(agent.command('change <agentId>')))
    .description('change the name, ceiling or introduction policy of an agent; a new ceiling replaces the old one as a whole')
    .option('--name <name>', 'display name')
    .option('--add-call <audience=scope>', 'add a right to the ceiling, which stays as it is otherwise (repeatable)', collect)
    .option('--remove-call <audience=scope>', 'remove a right from the ceiling (repeatable)', collect)
    .action((agentId: string, flags: CommonFlags & TermsFlags & ChangeFlags) =>
      call(flags, 'mutate', 'agents.change', { agentId, ...termsOf(flags), ...changesOf(flags) }),
    )
  for (const [verb, text] of Object.entries(STATE_CHANGES)) {
    const command = common(agent.command(`${verb} <agentId>`))
    if (verb !== 'reinstate') endingOptions(command)
    command.description(text).action((agentId: string, flags: CommonFlags) => call(flags, 'mutate', `agents.${verb}`, { agentId }))
  }
}

const termsOptions = (command: Command): Command =>
  command
    .option(
      '--call <audience=scope>',
      'ceiling: a right towards another agent, any agent (any=<scope>) or those of an organisation (<org id>=<scope>) (repeatable)',
      collect,
    )
    .option('--scope <scope>', 'ceiling: a scope at the registry (repeatable; default: all but admin and agents:write)', collect)
    .option('--tool <name>', 'ceiling: a tool that the agent may use (repeatable; default: any)', collect)
    .option('--resource <name>', 'ceiling: a resource that the agent may use (repeatable; default: any)', collect)
    .option('--token-seconds <n>', 'ceiling: maximum lifetime of a token, in seconds')
    .option('--depth <n>', 'ceiling: maximum delegation depth')
    .option('--introduction-policy <mode>', 'how introduction requests are decided: open, ask or closed')
    .option(
      '--capability-policy <mode>',
      'how requests for a capability are decided, with --introduction-policy: ask (default), open (like other requests) or closed',
    )

function termsOf(flags: TermsFlags): { ceiling?: object; introductionPolicy?: object } {
  if (flags.capabilityPolicy && !flags.introductionPolicy)
    refuse('bad_input', '--capability-policy needs --introduction-policy, because a policy is replaced as a whole')
  const ceiling = {
    ...(flags.scope && { scopes: flags.scope }),
    ...(flags.call && { rights: flags.call.map(rightOf) }),
    ...(flags.tool && { tools: flags.tool }),
    ...(flags.resource && { resources: flags.resource }),
    ...(flags.tokenSeconds && { tokenSeconds: Number(flags.tokenSeconds) }),
    ...(flags.depth && { delegationDepth: Number(flags.depth) }),
  }
  return {
    ...(Object.keys(ceiling).length > 0 && { ceiling }),
    ...(flags.introductionPolicy && { introductionPolicy: policyOf(flags.introductionPolicy, flags.capabilityPolicy) }),
  }
}

const policyOf = (mode: string, capabilities: string | undefined): object => ({ mode, ...(capabilities && { capabilities }) })

const changesOf = ({ name, addCall, removeCall }: ChangeFlags): object => ({
  ...(name && { name }),
  ...(addCall && { addRights: addCall.map(rightOf) }),
  ...(removeCall && { removeRights: removeCall.map(rightOf) }),
})

async function confirm(agentId: string, flags: CommonFlags & { registry: string; token: string; jwk?: string }): Promise<void> {
  const { privateJwk, signer, keyFile } = await keptKey(flags, flags.jwk)
  const confirmed = await confirmAgent({ issuer: flags.registry, agentId, registrationToken: flags.token, signer })
  const written = profilesOf(flags).write(flags.profile, { registry: issuerOf(flags.registry), clientId: agentId, privateJwk })
  print(flags, { ...confirmed, keyFile, ...written })
}
