import { type Command, Option } from 'commander'
import { type Agent, issuerOf, joinRegistry, redeemKeyCode } from '../../../client/index.js'
import type { AgentView } from '../../../identity/agents/get.js'
import type { OrganisationView } from '../../../identity/organisations/get.js'
import { type CommonFlags, fetchOf, keptKey, openAgent, profilesOf, registryOption, secretOf, showOptions } from '../../context.js'
import { refuseUsage } from '../../errors.js'
import { print, withProgress } from '../../output.js'

interface LoginFlags extends CommonFlags {
  readonly registry: string
  readonly code?: string
  readonly name: string
  readonly jwk?: string
}

/** `credence login` and `credence whoami`. */
export function loginCommands(program: Command, common: (command: Command) => Command): void {
  common(program.command('login'))
    .description(
      'create a key on this machine and register it with a one-time code: the first code of a registry, an invitation, or a code of `key code`',
    )
    .addOption(registryOption())
    .addOption(new Option('--code <code>', 'one-time code; - reads standard input').env('CREDENCE_CODE'))
    .option('--name <name>', 'display name of a new member', 'operator')
    .option('--jwk <file>', 'private JWK of the key to register; - reads standard input (default: a new key)')
    .action(login)
  showOptions(program.command('whoami'))
    .description('ask the registry who the profile is: client, organisation, scopes, and until when its access token is valid')
    .action(async (flags: CommonFlags) => {
      const { agent, profile } = await openAgent(flags)
      const { scope, expiresAt } = await agent.token()
      const identity = await identityOf(agent)
      print(flags, { profile: flags.profile, registry: profile.registry, clientId: profile.clientId, ...identity, scope, expiresAt })
    })
}

async function login(flags: LoginFlags): Promise<void> {
  if (flags.code === '-' && flags.jwk === '-') refuseUsage('--code and --jwk cannot both read standard input')
  const code = await secretOf(flags.code, 'one-time code')
  const { privateJwk, signer, keyFile } = await keptKey(flags, flags.jwk)
  const terms = { issuer: flags.registry, code, signer, fetch: fetchOf(flags) }
  // A key code registers a further key of an existing client; an invitation creates a member
  const registered = await withProgress('logging in', async () =>
    code.startsWith('kcd_') ? await redeemKeyCode(terms) : await joined({ ...terms, name: flags.name }),
  )
  const written = profilesOf(flags).write(flags.profile, {
    registry: issuerOf(flags.registry),
    clientId: registered.clientId,
    privateJwk,
  })
  print(flags, { ...registered, keyFile, ...written })
}

async function joined(terms: Parameters<typeof joinRegistry>[0]) {
  const { memberId, ...more } = await joinRegistry(terms)
  return { clientId: memberId, memberId, ...more }
}

/** Reads the entry of the client itself. An agent may ask only if its scopes allow it. */
async function identityOf(agent: Agent): Promise<object> {
  if (agent.clientId.startsWith('mem_')) {
    const { items } = await agent.query<{ items: readonly OrganisationView[] }>('organisations.list', { limit: 1 })
    return { kind: 'member', orgId: items[0]?.orgId, organisation: items[0]?.name }
  }
  const { scope } = await agent.token()
  if (!scope.split(' ').includes('agents:write')) return { kind: 'agent' }
  const { name, orgId, state } = await agent.query<AgentView>('agents.get', { agentId: agent.clientId })
  return { kind: 'agent', name, state, orgId }
}
