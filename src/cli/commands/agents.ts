import type { Command } from 'commander'
import { confirmAgent, issuerOf } from '../../client/index.js'
import { newPrivateJwk, proveKey, signerFromJwk } from '../../credentials/jose/sign.js'
import { systemClock } from '../../lib/clock.js'
import { systemRandom } from '../../lib/random.js'
import { type CommonFlags, call, collect, openAgent, print, profilesOf, rightOf, secondsOf, textOfFile } from '../context.js'

interface CeilingFlags {
  readonly call?: readonly string[]
  readonly scope?: readonly string[]
  readonly tool?: readonly string[]
  readonly resource?: readonly string[]
  readonly tokenSeconds?: string
  readonly depth?: string
  readonly contact?: string
}

const ceilingOptions = (command: Command): Command =>
  command
    .option('--call <audience=scope>', 'a right towards another agent (repeat; `change` replaces all of them)', collect)
    .option('--scope <scope>', 'a scope at the registry itself (repeat; default: all but admin and agents:write)', collect)
    .option('--tool <name>', 'restricts tools (repeat; `change` replaces)', collect)
    .option('--resource <name>', 'restricts resources (repeat; `change` replaces)', collect)
    .option('--token-seconds <n>', 'longest life of its tokens')
    .option('--depth <n>', 'how often what it is given may be passed on')
    .option('--contact <mode>', 'who may be introduced to it: open, ask or closed')

function ceilingOf(flags: CeilingFlags): { ceiling?: object; contact?: object } {
  const ceiling = {
    ...(flags.scope && { scopes: flags.scope }),
    ...(flags.call && { rights: flags.call.map(rightOf) }),
    ...(flags.tool && { tools: flags.tool }),
    ...(flags.resource && { resources: flags.resource }),
    ...(flags.tokenSeconds && { tokenSeconds: Number(flags.tokenSeconds) }),
    ...(flags.depth && { delegationDepth: Number(flags.depth) }),
  }
  return { ...(Object.keys(ceiling).length > 0 && { ceiling }), ...(flags.contact && { contact: { mode: flags.contact } }) }
}

/** Agents and keys. */
export function agentCommands(program: Command, common: (command: Command) => Command): void {
  const agent = program.command('agent').description('agents: register, confirm, list, show, change, suspend, reinstate, revoke')
  ceilingOptions(common(agent.command('register <name>')))
    .description('registers an agent; it becomes active when its own key confirms')
    .option('--org <orgId>')
    .action((name: string, flags: CommonFlags & CeilingFlags & { org?: string }) =>
      call(flags, 'mutate', 'agents.register', { name, ceiling: {}, ...ceilingOf(flags), ...(flags.org && { orgId: flags.org }) }),
    )
  common(agent.command('confirm <agentId>'))
    .description("makes the agent's key on this machine and confirms its registration; --profile names the new profile")
    .requiredOption('--registry <url>')
    .requiredOption('--token <token>', 'registration token')
    .action(confirm)
  common(agent.command('list')).action((flags: CommonFlags) => call(flags, 'query', 'agents.list', {}))
  common(agent.command('show <agentId>')).action((agentId: string, flags: CommonFlags) => call(flags, 'query', 'agents.get', { agentId }))
  ceilingOptions(common(agent.command('change <agentId>')))
    .option('--name <name>')
    .action((agentId: string, flags: CommonFlags & CeilingFlags & { name?: string }) =>
      call(flags, 'mutate', 'agents.change', { agentId, ...ceilingOf(flags), ...(flags.name && { name: flags.name }) }),
    )
  for (const verb of ['suspend', 'reinstate', 'revoke'] as const) {
    common(agent.command(`${verb} <agentId>`)).action((agentId: string, flags: CommonFlags) =>
      call(flags, 'mutate', `agents.${verb}`, { agentId }),
    )
  }
  keyCommands(program, common)
}

function keyCommands(program: Command, common: (command: Command) => Command): void {
  const key = program.command('key').description('registered keys: register, list, retire, end, compromise')
  common(key.command('register <owner>'))
    .description('registers a new publisher key of an organisation (kept in the profile), or the key in --jwk')
    .option('--use <use>', 'publisher or client', 'publisher')
    .option('--jwk <file>', 'private JWK of the key to register')
    .action(register)
  common(key.command('list <owner>')).action((owner: string, flags: CommonFlags) => call(flags, 'query', 'keys.list', { owner }))
  common(key.command('retire <keyId>'))
    .description('no new use after the overlap; what stands on it may live out')
    .option('--overlap <duration>', 'such as 1h', '1h')
    .action((keyId: string, flags: CommonFlags & { overlap: string }) =>
      call(flags, 'mutate', 'keys.retire', { keyId, overlapSeconds: secondsOf(flags.overlap) }),
    )
  common(key.command('end <keyId>')).action((keyId: string, flags: CommonFlags) => call(flags, 'mutate', 'keys.revoke', { keyId }))
  common(key.command('compromise <keyId>'))
    .description('ends the key with all that it granted since')
    .requiredOption('--since <duration>', 'how long ago it may have been stolen, such as 2d')
    .action((keyId: string, flags: CommonFlags & { since: string }) =>
      call(flags, 'mutate', 'keys.compromise', { keyId, since: systemClock.now() - secondsOf(flags.since) }),
    )
}

async function confirm(agentId: string, flags: CommonFlags & { registry: string; token: string }): Promise<void> {
  const privateJwk = await newPrivateJwk('ES256')
  const signer = await signerFromJwk(privateJwk)
  const confirmed = await confirmAgent({ issuer: flags.registry, agentId, registrationToken: flags.token, signer })
  const written = profilesOf(flags).write(flags.profile, {
    registry: issuerOf(flags.registry),
    clientId: agentId,
    privateJwk: { ...privateJwk },
  })
  print(flags, { ...confirmed, ...written })
}

async function register(owner: string, flags: CommonFlags & { use: string; jwk?: string }): Promise<void> {
  const { agent, profile } = await openAgent(flags)
  const privateJwk: Record<string, unknown> = flags.jwk ? JSON.parse(textOfFile(flags.jwk)) : { ...(await newPrivateJwk('ES256')) }
  const signer = await signerFromJwk(privateJwk)
  const proof = await proveKey({ signer, clock: systemClock, random: systemRandom }, { issuer: profile.registry, owner })
  const registered = await agent.mutate('keys.register', { owner, use: flags.use, jwk: signer.publicJwk, proof })
  if (flags.use === 'publisher') profilesOf(flags).write(flags.profile, { ...profile, publisherJwk: privateJwk })
  print(flags, registered)
}
