import type { Command } from 'commander'
import type { NamespaceView } from '../../../identity/namespaces/view.js'
import { type CommonFlags, call, endingOptions, openAgent, showOptions } from '../../context.js'
import { callEnding } from '../../endings/confirm.js'
import { endingOfNamespace } from '../../endings/describe.js'
import { type ListView, list } from '../../lists/list.js'
import { orgIdOf } from '../../names.js'

const NAMESPACES: ListView<NamespaceView> = {
  path: 'namespaces.list',
  columns: [
    { name: 'name', value: ({ name }) => name, kind: 'id' },
    { name: 'state', value: ({ state }) => state, kind: 'state' },
    { name: 'method', value: ({ method }) => method },
    { name: 'proved', value: ({ provedAt }) => provedAt, kind: 'time' },
    { name: 'checked', value: ({ checkedAt }) => checkedAt, kind: 'time' },
    { name: 'next check', value: ({ nextCheckAt }) => nextCheckAt, kind: 'time' },
    { name: 'expires', value: ({ expiresAt }) => expiresAt, kind: 'time' },
    { name: 'last failure', value: ({ lastFailure }) => lastFailure },
    { name: 'offered to', value: ({ offeredTo }) => offeredTo, kind: 'id' },
    { name: 'organisation', value: ({ orgId }) => orgId, kind: 'id' },
  ],
  fields: {
    name: true,
    orgId: true,
    state: true,
    proof: true,
    expiresAt: true,
    method: true,
    provedAt: true,
    provedBy: true,
    checkedAt: true,
    nextCheckAt: true,
    failures: true,
    lastFailure: true,
    endedAt: true,
    offeredTo: true,
    offeredUntil: true,
    handles: true,
  },
}

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
  showOptions(namespace.command('list'))
    .description('list the names with the state of their proofs, and those that other organisations offer')
    .option('--organisation <organisation>', "organisation, by id or name (operators; default: the profile's own)")
    .action(async ({ organisation, ...flags }: OrganisationFlags) =>
      list(flags, NAMESPACES, organisation === undefined ? {} : { orgId: await orgIdOf((await openAgent(flags)).agent, organisation) }),
    )
  common(namespace.command('transfer <name>'))
    .description('offer a name to another organisation, which takes it over when it adds and proves the name itself')
    .option('--to <orgId>', 'organisation that may take the name over within 30 days (default: withdraw the offer)')
    .action((name: string, { to, ...flags }: CommonFlags & { readonly to?: string }) =>
      call(flags, 'mutate', 'namespaces.transfer', { name, ...(to !== undefined && { to }) }),
    )
  endingOptions(common(namespace.command('remove <name>')))
    .description('drop a claim, or end a proof: the cards that it verified are only signed from then on')
    .action((name: string, flags: CommonFlags) =>
      callEnding(flags, 'namespaces.remove', { inputOf: async () => ({ name }), describe: endingOfNamespace }),
    )
}
