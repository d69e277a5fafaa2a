import type { Command } from 'commander'
import type { Agent } from '../../client/index.js'
import { proveKey } from '../../credentials/jose/sign.js'
import type { RegisteredKeyList } from '../../identity/keys/list.js'
import { systemClock } from '../../lib/clock.js'
import { systemRandom } from '../../lib/random.js'
import {
  type CommonFlags,
  call,
  confirmationOptions,
  endingOptions,
  keptKey,
  NOTE,
  openAgent,
  profilesOf,
  secondsOf,
  showOptions,
  timeOf,
} from '../context.js'
import { callEnding, type Ending } from '../endings/confirm.js'
import { endingOfKey } from '../endings/describe.js'
import { refuseUsage } from '../errors.js'
import { type ListView, printList, readOf } from '../lists/list.js'
import { clientIdOf, orgIdOf, ownerIdOf } from '../names.js'
import { print, printErrorLines, withProgress } from '../output.js'

type Key = RegisteredKeyList['items'][number]

const KEYS: ListView<Key> = {
  path: 'keys.list',
  columns: [
    { name: 'id', value: ({ keyId }) => keyId, kind: 'id' },
    { name: 'use', value: ({ use }) => use },
    { name: 'state', value: ({ state }) => state, kind: 'state' },
    { name: 'alg', value: ({ alg }) => alg },
    { name: 'registered', value: ({ registeredAt }) => registeredAt, kind: 'time' },
    { name: 'retires', value: ({ retiresAt }) => retiresAt, kind: 'time' },
    { name: 'ended', value: ({ endedAt }) => endedAt, kind: 'time' },
    { name: 'registeredBy', value: ({ registeredBy }) => registeredBy, kind: 'id' },
    { name: 'jkt', value: ({ jkt }) => jkt, kind: 'id' },
    { name: 'owner', value: ({ owner }) => owner, kind: 'detail' },
  ],
  fields: {
    keyId: true,
    owner: true,
    use: true,
    jkt: true,
    alg: true,
    registeredAt: true,
    registeredBy: true,
    retiresAt: true,
    state: true,
    handles: true,
    endedAt: true,
    endedBy: true,
    reason: true,
    note: true,
  },
}

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
  showOptions(key.command('list <owner>'))
    .description('list the registered keys of an organisation, agent or member (id or name)')
    .action(async (owner: string, flags: CommonFlags) => {
      const { agent } = await openAgent(flags)
      return printList(flags, KEYS, readOf(agent, KEYS, { owner: await ownerIdOf(agent, owner) }))
    })
  common(key.command('rotate [organisation]'))
    .description('replace the key of the profile, or the publisher key of its organisation: the old key signs for the new one and retires')
    .option('--overlap <duration>', 'time for which the old key is still accepted, such as 1h', '1h')
    .option('--jwk <file>', 'private JWK of the new key; - reads standard input (default: a new key)')
    .action(rotate)
  common(key.command('code <client>'))
    .description(
      'print a one-time code with which an agent or member (id or name) registers a further key by `login`: on a second machine, or after it lost its key',
    )
    .option(
      '--revoke-others',
      'redeeming the code revokes all other keys of the client, and withdraws its other codes and its registration access token',
    )
    .action(async (named: string, flags: CommonFlags & { revokeOthers?: true }) => {
      const clientId = await clientIdOf((await openAgent(flags)).agent, named)
      return call(flags, 'mutate', 'keys.issueCode', { clientId, ...(flags.revokeOthers && { revokeOthers: true }) })
    })
  confirmationOptions(common(key.command('withdraw-codes <client>')))
    .description(
      'withdraw all open one-time codes of an agent or member (id or name), which `key code` has printed, and the registration access token of an agent that registered itself',
    )
    .action((named: string, flags: CommonFlags) =>
      callEnding(flags, 'keys.withdrawCodes', {
        inputOf: async (agent) => ({ clientId: await clientIdOf(agent, named) }),
        describe: async (_, { clientId }: { readonly clientId: string }) => ({
          revokes: `all open one-time codes of ${clientId}, and its registration access token if it registered itself`,
        }),
      }),
    )
  confirmationOptions(common(key.command('retire <keyId>')))
    .description('stop accepting new uses of the key after the overlap; tokens already issued stay valid until they expire')
    .option('--overlap <duration>', 'time for which the key is still accepted, such as 1h', '1h')
    .action((keyId: string, flags: CommonFlags & { overlap: string }) => {
      const overlapSeconds = secondsOf(flags.overlap)
      return callEnding(flags, 'keys.retire', { inputOf: async () => ({ keyId, overlapSeconds }), describe: endingOfRetiredKey })
    })
  endingOptions(common(key.command('revoke <keyId>')))
    .description('revoke the key immediately, with every token that it authenticated')
    .action((keyId: string, flags: CommonFlags) =>
      callEnding(flags, 'keys.revoke', { inputOf: async () => ({ keyId }), describe: endingOfKey }),
    )
  confirmationOptions(common(key.command('compromise <keyId>')))
    .description(
      'revoke a stolen key and everything that it has granted since the theft, and withdraw the open codes and the registration access token of its owner; the key is never accepted again',
    )
    .option('--note <text>', NOTE)
    .requiredOption('--since <time>', 'when the key may have been stolen: a duration such as 2d, or a time such as 2026-01-31T12:00:00Z')
    .action((keyId: string, flags: CommonFlags & { since: string }) => {
      const since = timeOf(flags.since, systemClock.now())
      return callEnding(flags, 'keys.compromise', { inputOf: async () => ({ keyId, since }), describe: endingOfCompromisedKey })
    })
}

async function endingOfCompromisedKey(agent: Agent, input: { readonly keyId: string }): Promise<Ending> {
  const { revokes, endsWithIt } = await endingOfKey(agent, input)
  return { revokes, endsWithIt: { ...endsWithIt, 'what it has granted since': 'all' } }
}

async function endingOfRetiredKey(agent: Agent, input: { readonly keyId: string; readonly overlapSeconds: number }): Promise<Ending> {
  const { revokes } = await endingOfKey(agent, input)
  return { revokes: `${revokes}, after ${input.overlapSeconds} s`, endsWithIt: { 'tokens that it authenticated': 'none; they expire' } }
}

interface KeyFlags extends CommonFlags {
  readonly jwk?: string
}

async function register(named: string, flags: KeyFlags & { use: string }): Promise<void> {
  const { agent, profile } = await openAgent(flags)
  const owner = await ownerIdOf(agent, named)
  const { privateJwk, signer, keyFile } = await keptKey(flags, flags.jwk)
  const proof = await proveKey({ signer, clock: systemClock, random: systemRandom }, { issuer: profile.registry, owner })
  const registered = await withProgress('registering the key', () =>
    agent.mutate<object>('keys.register', { owner, use: flags.use, jwk: signer.publicJwk, proof }),
  )
  if (flags.use === 'publisher') profilesOf(flags).write(flags.profile, { ...profile, publisherJwk: privateJwk })
  print(flags, { ...registered, keyFile })
}

async function rotate(organisation: string | undefined, flags: KeyFlags & { overlap: string }): Promise<void> {
  const { agent, profile } = await openAgent(flags)
  const overlapSeconds = secondsOf(flags.overlap)
  if (organisation !== undefined && profile.publisherJwk === undefined)
    refuseUsage(`the profile ${flags.profile} has no publisher key: run \`credence key register ${organisation}\` with it`)
  const orgId = organisation === undefined ? undefined : await orgIdOf(agent, organisation)
  const { privateJwk, signer, keyFile } = await keptKey(flags, flags.jwk)
  const rotated = await withProgress('rotating the key', () =>
    orgId === undefined ? agent.rotateKey(signer, { overlapSeconds }) : agent.rotatePublisherKey(orgId, signer, { overlapSeconds }),
  ).catch((error: unknown) => {
    // The registry may have accepted the new key although its response was lost
    printErrorLines(`The new key is in ${keyFile}. To try again with it: --jwk ${keyFile}`)
    throw error
  })
  const changed = orgId === undefined ? { privateJwk } : { publisherJwk: privateJwk }
  profilesOf(flags).write(flags.profile, { ...profile, ...changed })
  print(flags, { ...rotated, keyFile })
}
