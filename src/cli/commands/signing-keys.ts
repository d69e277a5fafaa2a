import type { Command } from 'commander'
import { type CommonFlags, call } from '../context.js'

/** The registry's own keys, for its operators. */
export function registryKeyCommands(program: Command, common: (command: Command) => Command): void {
  const key = program.command('registry-key').description("the registry's own keys, for its operators: list, rotate, end")
  common(key.command('list')).action((flags: CommonFlags) => call(flags, 'query', 'signingKeys.list', {}))
  common(key.command('rotate <use>'))
    .description('token, card or log: a new key is published now and signs soon; the old one ends when nothing that it signed is left')
    .action((use: string, flags: CommonFlags) => call(flags, 'mutate', 'signingKeys.rotate', { use }))
  common(key.command('end <kid>'))
    .description('ends a key now, and everything that it signed')
    .action((kid: string, flags: CommonFlags) => call(flags, 'mutate', 'signingKeys.revoke', { kid }))
}
