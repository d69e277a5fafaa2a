import type { Command } from 'commander'
import { newPrivateJwk, proveKey, signerFromJwk } from '../../credentials/jose/sign.js'
import { systemClock } from '../../lib/clock.js'
import { systemRandom } from '../../lib/random.js'
import { type CommonFlags, call, endingOptions, NOTE, openAgent, privateTextOfFile, profilesOf, secondsOf } from '../context.js'
import { print } from '../output.js'

/** `credence key …`: the registered keys of organisations, agents and members. */
export function keyCommands(program: Command, common: (command: Command) => Command): void {
  const key = program.command('key').description('register, list, retire and revoke keys of an organisation, agent or member')
  common(key.command('register <owner>'))
    .description('register a new publisher key of an organisation (its private part stays in the profile), or the key in --jwk')
    .option('--use <use>', 'publisher or client', 'publisher')
    .option('--jwk <file>', 'private JWK of the key to register; - reads standard input')
    .action(register)
  common(key.command('list <owner>'))
    .description('list the registered keys of an organisation, agent or member')
    .action((owner: string, flags: CommonFlags) => call(flags, 'query', 'keys.list', { owner }))
  common(key.command('retire <keyId>'))
    .description('stop accepting new uses of the key after the overlap; tokens already issued stay valid until they expire')
    .option('--overlap <duration>', 'time for which the key is still accepted, such as 1h', '1h')
    .action((keyId: string, flags: CommonFlags & { overlap: string }) =>
      call(flags, 'mutate', 'keys.retire', { keyId, overlapSeconds: secondsOf(flags.overlap) }),
    )
  endingOptions(common(key.command('revoke <keyId>')))
    .description('revoke the key immediately, with every token that it authenticated')
    .action((keyId: string, flags: CommonFlags) => call(flags, 'mutate', 'keys.revoke', { keyId }))
  common(key.command('compromise <keyId>'))
    .description('revoke a stolen key and everything that it has granted since the theft; the key is never accepted again')
    .option('--note <text>', NOTE)
    .requiredOption('--since <duration>', 'how long ago the key may have been stolen, such as 2d')
    .action((keyId: string, flags: CommonFlags & { since: string }) =>
      call(flags, 'mutate', 'keys.compromise', { keyId, since: systemClock.now() - secondsOf(flags.since) }),
    )
}

async function register(owner: string, flags: CommonFlags & { use: string; jwk?: string }): Promise<void> {
  const { agent, profile } = await openAgent(flags)
  const privateJwk: Record<string, unknown> = flags.jwk ? JSON.parse(privateTextOfFile(flags.jwk)) : { ...(await newPrivateJwk('ES256')) }
  const signer = await signerFromJwk(privateJwk)
  const proof = await proveKey({ signer, clock: systemClock, random: systemRandom }, { issuer: profile.registry, owner })
  const registered = await agent.mutate('keys.register', { owner, use: flags.use, jwk: signer.publicJwk, proof })
  if (flags.use === 'publisher') profilesOf(flags).write(flags.profile, { ...profile, publisherJwk: privateJwk })
  print(flags, registered)
}
