import type { Command } from 'commander'
import { connectDevice, issuerOf } from '../../../client/index.js'
import { type CommonFlags, collect, fetchOf, keptKey, profilesOf, registryOption } from '../../context.js'
import { print, printErrorLines } from '../../output.js'

interface ConnectFlags extends CommonFlags {
  readonly registry: string
  readonly resource?: readonly string[]
  readonly scope?: string
  readonly jwk?: string
}

/** `credence agent connect`: makes this machine an agent of the person who types the code. */
export const connectCommand = (agent: Command, common: (command: Command) => Command): Command =>
  common(agent.command('connect <name>'))
    .description(
      'create a key on this machine and ask a person, who types a code in a browser, to let it act as a new agent; --profile names the new profile',
    )
    .addOption(registryOption())
    .option('--resource <audience>', 'an agent or protected resource where the new agent is to act, by its audience (repeatable)', collect)
    .option('--scope <scopes>', 'scopes, separated by spaces, at the registry and the resources (default: all that they offer)')
    .option('--jwk <file>', 'private JWK of the key to register; - reads standard input (default: a new key)')
    .action(connect)

async function connect(name: string, flags: ConnectFlags): Promise<void> {
  const { privateJwk, signer, keyFile } = await keptKey(flags, flags.jwk)
  const { clientId, token } = await connectDevice({
    issuer: flags.registry,
    name,
    signer,
    fetch: fetchOf(flags),
    ...(flags.resource && { resources: flags.resource }),
    ...(flags.scope !== undefined && { scope: flags.scope }),
    onCode: ({ userCode, verificationUri }) =>
      printErrorLines(`open ${verificationUri} in a browser, sign in and type the code ${userCode}`, 'waiting for the approval …'),
  })
  const written = profilesOf(flags).write(flags.profile, { registry: issuerOf(flags.registry), clientId, privateJwk })
  print(flags, { agentId: clientId, scope: token.scope, keyFile, ...written })
}
