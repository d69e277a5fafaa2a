import type { Command } from 'commander'
import { issuerOf, joinRegistry } from '../../client/index.js'
import { newPrivateJwk, signerFromJwk } from '../../credentials/jose/sign.js'
import { type CommonFlags, openAgent, profilesOf } from '../context.js'
import { print } from '../output.js'

interface LoginFlags extends CommonFlags {
  readonly registry: string
  readonly code: string
  readonly name: string
}

/** `credence login` and `credence whoami`. */
export function loginCommands(program: Command, common: (command: Command) => Command): void {
  common(program.command('login'))
    .description('create a key on this machine and register it with a one-time code (the first code of a registry, or an invitation)')
    .requiredOption('--registry <url>', 'issuer URL of the registry')
    .requiredOption('--code <code>', 'one-time code')
    .option('--name <name>', 'display name', 'operator')
    .action(login)
  common(program.command('whoami'))
    .description('show the registry and the client id of the profile')
    .action(async (flags: CommonFlags) => {
      const { profile } = await openAgent(flags)
      print(flags, { registry: profile.registry, clientId: profile.clientId })
    })
}

async function login(flags: LoginFlags): Promise<void> {
  const privateJwk = await newPrivateJwk('ES256')
  const joined = await joinRegistry({ issuer: flags.registry, code: flags.code, name: flags.name, signer: await signerFromJwk(privateJwk) })
  const written = profilesOf(flags).write(flags.profile, {
    registry: issuerOf(flags.registry),
    clientId: joined.memberId,
    privateJwk: { ...privateJwk },
  })
  print(flags, { ...joined, ...written })
}
