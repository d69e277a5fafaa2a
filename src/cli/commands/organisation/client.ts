import type { Command } from 'commander'
import type { ClientView } from '../../../identity/clients/read.js'
import { type CommonFlags, endingOptions, type ListFlags, listOptions, openAgent, showOptions } from '../../context.js'
import { callEnding } from '../../endings/confirm.js'
import { endingOfClient } from '../../endings/describe.js'
import { type ListView, list, showOne } from '../../lists/list.js'
import { orgIdOf } from '../../names.js'

const CLIENTS: ListView<ClientView> = {
  path: 'clients.list',
  columns: [
    { name: 'id', value: ({ clientId }) => clientId, kind: 'id' },
    { name: 'name', value: ({ name }) => name },
    { name: 'state', value: ({ state }) => state, kind: 'state' },
    { name: 'url', value: ({ clientUri }) => clientUri },
    { name: 'authentication', value: ({ authMethod }) => authMethod },
    { name: 'agents', value: ({ agents }) => agents },
    { name: 'last used', value: ({ lastUsedAt }) => lastUsedAt, kind: 'time' },
    { name: 'organisation', value: ({ orgId }) => orgId, kind: 'detail' },
  ],
  fields: {
    clientId: true,
    clientUri: true,
    state: true,
    name: true,
    authMethod: true,
    grantTypes: true,
    redirectUris: true,
    keys: true,
    orgId: true,
    agents: true,
    registeredAt: true,
    lastUsedAt: true,
  },
}

/** `credence client …`. */
export function clientCommands(program: Command, common: (command: Command) => Command): void {
  const client = program
    .command('client')
    .description('list, show and revoke external clients: OAuth clients that are neither agents nor members')
  listOptions(client.command('list'))
    .description('list the external clients that an organisation uses, newest first')
    .option('--org <organisation>', 'organisation, by id or name (operators; default: their own)')
    .action(async ({ org, ...flags }: ListFlags & { readonly org?: string }) =>
      list(flags, CLIENTS, org === undefined ? {} : { orgId: await orgIdOf((await openAgent(flags)).agent, org) }),
    )
  showOptions(client.command('show <clientId>'))
    .description('show one external client')
    .action((clientId: string, flags: CommonFlags) => showOne(flags, 'clients.get', { clientId }, CLIENTS))
  endingOptions(common(client.command('revoke <clientId>')))
    .description('permanently revoke an external client with all of its tokens (one with a URL: operators)')
    .action((clientId: string, flags: CommonFlags) =>
      callEnding(flags, 'clients.revoke', { inputOf: async () => ({ clientId }), describe: endingOfClient }),
    )
}
