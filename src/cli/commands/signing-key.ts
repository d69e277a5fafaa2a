import type { Command } from 'commander'
import type { KeyView } from '../../signing-keys/key-view.js'
import { type CommonFlags, call, endingOptions, showOptions } from '../context.js'
import { callEnding } from '../endings/confirm.js'
import { endingOfSigningKey } from '../endings/describe.js'
import { type ListView, list } from '../lists/list.js'

const SIGNING_KEYS: ListView<KeyView> = {
  path: 'signingKeys.list',
  columns: [
    { name: 'id', value: ({ kid }) => kid, kind: 'id' },
    { name: 'use', value: ({ use }) => use },
    { name: 'state', value: ({ state }) => state, kind: 'state' },
    { name: 'created', value: ({ createdAt }) => createdAt, kind: 'time' },
    { name: 'signsFrom', value: ({ signsFrom }) => signsFrom, kind: 'time' },
    { name: 'retires', value: ({ retiresAt }) => retiresAt, kind: 'time' },
  ],
  fields: { kid: true, use: true, state: true, createdAt: true, signsFrom: true, retiresAt: true, handles: true },
}

/** `credence signing-key …`: the registry's own keys, for its operators. */
export function signingKeyCommands(program: Command, common: (command: Command) => Command): void {
  const key = program.command('signing-key').description("list, rotate and revoke the registry's own keys (operators)")
  showOptions(key.command('list'))
    .description('list the signing keys of every use')
    .action((flags: CommonFlags) => list(flags, SIGNING_KEYS))
  common(key.command('rotate <use>'))
    .description(
      'publish a new key for token, card, log or witness; it signs after two minutes, and the old key ends once nothing that it signed is valid',
    )
    .action((use: string, flags: CommonFlags) => call(flags, 'mutate', 'signingKeys.rotate', { use }))
  endingOptions(common(key.command('revoke <kid>')))
    .description('revoke a key immediately, with everything that it signed')
    .action((kid: string, flags: CommonFlags) =>
      callEnding(flags, 'signingKeys.revoke', { inputOf: async () => ({ kid }), describe: endingOfSigningKey }),
    )
}
