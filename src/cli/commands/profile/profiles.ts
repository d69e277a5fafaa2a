import type { Command } from 'commander'
import { thumbprint } from '../../../credentials/jose/jwk.js'
import { signerFromJwk } from '../../../credentials/jose/sign.js'
import type { RegisteredKeyList } from '../../../identity/keys/list.js'
import { type CommonFlags, confirmationOptions, openAgent, profilesOf, showOptions } from '../../context.js'
import { confirm } from '../../endings/confirm.js'
import { print, printTable } from '../../output.js'
import type { Column } from '../../terminal/table.js'

/** `credence profiles` and `credence logout`. */
export function profileCommands(program: Command, common: (command: Command) => Command): void {
  showOptions(program.command('profiles')).description('list the profiles on this machine; the selected one is marked').action(listProfiles)
  confirmationOptions(common(program.command('logout')))
    .description(
      'remove the profile with its private key, and the kept copy of this key, from this machine; keys that it replaced earlier stay in the folder keys; the registry is told only with --revoke-key',
    )
    .option('--revoke-key', 'also revoke the key at the registry')
    .action(logout)
}

function listProfiles(flags: CommonFlags): void {
  const profiles = profilesOf(flags)
  const rows = profiles.list().map((name) => {
    const { registry, clientId } = profiles.read(name)
    return { profile: name, isSelected: name === flags.profile, registry, clientId }
  })
  if (flags.json) print(flags, rows)
  else printTable(COLUMNS, rows)
}

const COLUMNS: readonly Column<{ profile: string; isSelected: boolean; registry: string; clientId: string }>[] = [
  { name: 'profile', value: ({ profile }) => profile, kind: 'id' },
  { name: 'selected', value: ({ isSelected }) => (isSelected ? 'yes' : ''), rank: 3 },
  { name: 'registry', value: ({ registry }) => registry },
  { name: 'client', value: ({ clientId }) => clientId, kind: 'id' },
]

async function logout(flags: CommonFlags & { readonly revokeKey?: boolean }): Promise<void> {
  const profiles = profilesOf(flags)
  const { registry, clientId, publisherJwk } = profiles.read(flags.profile)
  const isConfirmed = await confirm(flags, async () => ({
    removes: `profile ${flags.profile}: its private key for ${clientId} at ${registry} exists only on this machine`,
    endsWithIt: {
      'key at the registry': flags.revokeKey ? 'revoked' : 'stays registered',
      ...(publisherJwk && { 'publisher key': 'stays on this machine, in a file that is printed' }),
    },
  }))
  if (!isConfirmed) return
  const revokedKey = flags.revokeKey ? await revokeOwnKey(flags) : undefined
  print(flags, { removed: flags.profile, revokedKey, ...profiles.remove(flags.profile) })
}

/** Finds the key of the profile by its thumbprint, because the profile does not hold the id of the registration. */
async function revokeOwnKey(flags: CommonFlags): Promise<string | undefined> {
  const { agent, profile } = await openAgent(flags)
  const jkt = thumbprint((await signerFromJwk(profile.privateJwk)).publicJwk)
  const { items } = await agent.query<RegisteredKeyList>('keys.list', { owner: agent.clientId })
  const key = items.find((one) => one.jkt === jkt && one.state !== 'revoked')
  if (key !== undefined) await agent.mutate('keys.revoke', { keyId: key.keyId })
  return key?.keyId
}
