import type { Command } from 'commander'
import { type CommonFlags, call, endingOptions } from '../context.js'

/** `credence signing-key …`: the registry's own keys, for its operators. */
export function signingKeyCommands(program: Command, common: (command: Command) => Command): void {
  const key = program.command('signing-key').description("list, rotate and revoke the registry's own keys (operators)")
  common(key.command('list'))
    .description('list the signing keys of every use')
    .action((flags: CommonFlags) => call(flags, 'query', 'signingKeys.list', {}))
  common(key.command('rotate <use>'))
    .description(
      'publish a new key for token, card, log or witness; it signs after two minutes, and the old key ends once nothing that it signed is valid',
    )
    .action((use: string, flags: CommonFlags) => call(flags, 'mutate', 'signingKeys.rotate', { use }))
  endingOptions(common(key.command('revoke <kid>')))
    .description('revoke a key immediately, with everything that it signed')
    .action((kid: string, flags: CommonFlags) => call(flags, 'mutate', 'signingKeys.revoke', { kid }))
}
