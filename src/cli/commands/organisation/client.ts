import { type Command, Option } from 'commander'
import type { ClientView } from '../../../identity/clients/read.js'
import {
  type CommonFlags,
  call,
  collect,
  definedIn,
  endingOptions,
  type ListFlags,
  listOptions,
  openAgent,
  showOptions,
} from '../../context.js'
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
    { name: 'allowed', value: ({ isAllowed }) => (isAllowed ? 'yes' : undefined) },
    { name: 'last used', value: ({ lastUsedAt }) => lastUsedAt, kind: 'time' },
    { name: 'organisation', value: ({ orgId }) => orgId, kind: 'detail' },
  ],
  fields: {
    clientId: true,
    clientUri: true,
    state: true,
    handles: true,
    name: true,
    authMethod: true,
    grantTypes: true,
    redirectUris: true,
    keys: true,
    orgId: true,
    agents: true,
    isAllowed: true,
    registeredAt: true,
    lastUsedAt: true,
  },
}

interface RulesFlags extends CommonFlags {
  readonly external?: string
  readonly adminScope?: readonly string[]
  readonly adminScopes?: boolean
}

/** `credence client …`. */
export function clientCommands(program: Command, common: (command: Command) => Command): void {
  const client = program
    .command('client')
    .description('list, show, allow and revoke external clients: OAuth clients that are neither agents nor members')
  listOptions(client.command('list'))
    .description('list the external clients that an organisation uses, newest first')
    .option('--org <organisation>', 'organisation, by id or name (operators; default: their own)')
    .action(async ({ org, ...flags }: ListFlags & { readonly org?: string }) =>
      list(flags, CLIENTS, org === undefined ? {} : { orgId: await orgIdOf((await openAgent(flags)).agent, org) }),
    )
  showOptions(client.command('show <clientId>'))
    .description('show one external client')
    .action((clientId: string, flags: CommonFlags) => showOne(flags, 'clients.get', { clientId }, CLIENTS))
  common(client.command('allow <clientId>'))
    .description('let the people of the organisation consent to an external client, by its id or the URL of its metadata')
    .action((clientId: string, flags: CommonFlags) => call(flags, 'mutate', 'clients.allow', { clientId }))
  common(client.command('disallow <clientId>'))
    .description('remove an external client from the allowed ones; consents that were given stay valid')
    .action((clientId: string, flags: CommonFlags) => call(flags, 'mutate', 'clients.disallow', { clientId }))
  common(client.command('rules'))
    .description('show or set the rules of the organisation about the clients that may ask its people')
    .addOption(new Option('--external <which>', 'external clients to which people may consent').choices(['none', 'admitted', 'any']))
    .option('--admin-scope <scope>', 'scope for which an administrator must approve a consent (repeatable; replaces the list)', collect)
    .option('--no-admin-scopes', 'require no approval for scopes')
    .action(({ external, adminScope, adminScopes, ...flags }: RulesFlags) => {
      const scopes = adminScope ?? (adminScopes === false ? [] : undefined)
      return external === undefined && scopes === undefined
        ? call(flags, 'query', 'clients.rules', {})
        : call(flags, 'mutate', 'clients.setRules', definedIn({ externalClients: external, adminScopes: scopes }))
    })
  endingOptions(common(client.command('revoke <clientId>')))
    .description('permanently revoke an external client with all of its tokens (one with a URL: operators)')
    .action((clientId: string, flags: CommonFlags) =>
      callEnding(flags, 'clients.revoke', { inputOf: async () => ({ clientId }), describe: endingOfClient }),
    )
}
