import type { Command } from 'commander'
import { proveKey } from '../../credentials/jose/sign.js'
import { refuse } from '../../errors.js'
import { systemClock } from '../../lib/clock.js'
import { systemRandom } from '../../lib/random.js'
import { type CommonFlags, call, endingOptions, keptKey, NOTE, openAgent, profilesOf, secondsOf, timeOf } from '../context.js'
import { print, printErrorLines } from '../output.js'

/** `credence key …`: the registered keys of organisations, agents and members. */
export function keyCommands(program: Command, common: (command: Command) => Command): void {
  const key = program.command('key').description('register, rotate, list, retire and revoke keys of an organisation, agent or member')
  common(key.command('register <owner>'))
    .description(
      'register a new key, whose private part is stored on this machine, or the key in --jwk; a publisher key becomes that of the profile',
    )
    .option('--use <use>', 'publisher or client', 'publisher')
    .option('--jwk <file>', 'private JWK of the key to register; - reads standard input')
    .action(register)
  common(key.command('list <owner>'))
    .description('list the registered keys of an organisation, agent or member')
    .action((owner: string, flags: CommonFlags) => call(flags, 'query', 'keys.list', { owner }))
  common(key.command('rotate [organisation]'))
    .description('replace the key of the profile, or the publisher key of its organisation: the old key signs for the new one and retires')
    .option('--overlap <duration>', 'time for which the old key is still accepted, such as 1h', '1h')
    .option('--jwk <file>', 'private JWK of the new key; - reads standard input (default: a new key)')
    .action(rotate)
  common(key.command('code <clientId>'))
    .description(
      'print a one-time code with which an agent or member registers a further key by `login`: on a second machine, or after it lost its key',
    )
    .option('--revoke-others', 'redeeming the code revokes all other keys of the client')
    .action((clientId: string, flags: CommonFlags & { revokeOthers?: true }) =>
      call(flags, 'mutate', 'keys.issueCode', { clientId, ...(flags.revokeOthers && { revokeOthers: true }) }),
    )
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
    .requiredOption('--since <time>', 'when the key may have been stolen: a duration such as 2d, or a time such as 2026-01-31T12:00:00Z')
    .action((keyId: string, flags: CommonFlags & { since: string }) =>
      call(flags, 'mutate', 'keys.compromise', { keyId, since: timeOf(flags.since, systemClock.now()) }),
    )
}

interface KeyFlags extends CommonFlags {
  readonly jwk?: string
}

async function register(owner: string, flags: KeyFlags & { use: string }): Promise<void> {
  const { agent, profile } = await openAgent(flags)
  const { privateJwk, signer, keyFile } = await keptKey(flags, flags.jwk)
  const proof = await proveKey({ signer, clock: systemClock, random: systemRandom }, { issuer: profile.registry, owner })
  const registered = await agent.mutate<object>('keys.register', { owner, use: flags.use, jwk: signer.publicJwk, proof })
  if (flags.use === 'publisher') profilesOf(flags).write(flags.profile, { ...profile, publisherJwk: privateJwk })
  print(flags, { ...registered, keyFile })
}

async function rotate(organisation: string | undefined, flags: KeyFlags & { overlap: string }): Promise<void> {
  const { agent, profile } = await openAgent(flags)
  const overlapSeconds = secondsOf(flags.overlap)
  if (organisation !== undefined && profile.publisherJwk === undefined)
    refuse('bad_input', `the profile ${flags.profile} has no publisher key: run \`credence key register ${organisation}\` with it`)
  const { privateJwk, signer, keyFile } = await keptKey(flags, flags.jwk)
  const rotation =
    organisation === undefined
      ? agent.rotateKey(signer, { overlapSeconds })
      : agent.rotatePublisherKey(organisation, signer, { overlapSeconds })
  const rotated = await rotation.catch((error: unknown) => {
    // The registry may have accepted the new key although its response was lost
    printErrorLines(`The new key is in ${keyFile}. To try again with it: --jwk ${keyFile}`)
    throw error
  })
  const changed = organisation === undefined ? { privateJwk } : { publisherJwk: privateJwk }
  profilesOf(flags).write(flags.profile, { ...profile, ...changed })
  print(flags, { ...rotated, keyFile })
}
