import type { Command } from 'commander'
import { issuerOf, joinRegistry, redeemKeyCode } from '../../client/index.js'
import { type CommonFlags, keptKey, openAgent, profilesOf } from '../context.js'
import { print } from '../output.js'

interface LoginFlags extends CommonFlags {
  readonly registry: string
  readonly code: string
  readonly name: string
  readonly jwk?: string
}

/** `credence login` and `credence whoami`. */
export function loginCommands(program: Command, common: (command: Command) => Command): void {
  common(program.command('login'))
    .description(
      'create a key on this machine and register it with a one-time code: the first code of a registry, an invitation, or a code of `key code`',
    )
    .requiredOption('--registry <url>', 'issuer URL of the registry')
    .requiredOption('--code <code>', 'one-time code')
    .option('--name <name>', 'display name of a new member', 'operator')
    .option('--jwk <file>', 'private JWK of the key to register; - reads standard input (default: a new key)')
    .action(login)
  common(program.command('whoami'))
    .description('show the registry and the client id of the profile')
    .action(async (flags: CommonFlags) => {
      const { profile } = await openAgent(flags)
      print(flags, { registry: profile.registry, clientId: profile.clientId })
    })
}

async function login(flags: LoginFlags): Promise<void> {
  const { privateJwk, signer, keyFile } = await keptKey(flags, flags.jwk)
  const terms = { issuer: flags.registry, code: flags.code, signer }
  // A key code registers a further key of an existing client; an invitation creates a member
  const registered = flags.code.startsWith('kcd_') ? await redeemKeyCode(terms) : await joined({ ...terms, name: flags.name })
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
