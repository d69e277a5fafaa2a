import type { Command } from 'commander'
import { type CommonFlags, call, endingOptions } from '../../context.js'

interface OrganisationFlags extends CommonFlags {
  readonly organisation?: string
}

/** `credence namespace …`. */
export function namespaceCommands(program: Command, common: (command: Command) => Command): void {
  const namespace = program
    .command('namespace')
    .description('prove that a DNS name belongs to the organisation, so that its cards are verified (administrators)')
  common(namespace.command('add <name>'))
    .description('claim a DNS name and print the TXT record and the file of which one proves it')
    .action((name: string, flags: CommonFlags) => call(flags, 'mutate', 'namespaces.add', { name }))
  common(namespace.command('check <name>'))
    .description('look for the proof of a claimed name, or check a proved one again; three failed checks in a row end a proof')
    .action((name: string, flags: CommonFlags) => call(flags, 'mutate', 'namespaces.check', { name }))
  common(namespace.command('list'))
    .description('list the names with the state of their proofs, and those that other organisations offer')
    .option('--organisation <orgId>', "organisation (operators; default: the profile's own)")
    .action(({ organisation, ...flags }: OrganisationFlags) =>
      call(flags, 'query', 'namespaces.list', { ...(organisation !== undefined && { orgId: organisation }) }),
    )
  common(namespace.command('transfer <name>'))
    .description('offer a name to another organisation, which takes it over when it adds and proves the name itself')
    .option('--to <orgId>', 'organisation that may take the name over within 30 days (default: withdraw the offer)')
    .action((name: string, { to, ...flags }: CommonFlags & { readonly to?: string }) =>
      call(flags, 'mutate', 'namespaces.transfer', { name, ...(to !== undefined && { to }) }),
    )
  endingOptions(common(namespace.command('remove <name>')))
    .description('drop a claim, or end a proof: the cards that it verified are only signed from then on')
    .action((name: string, flags: CommonFlags) => call(flags, 'mutate', 'namespaces.remove', { name }))
}
