import type { Command } from 'commander'
import type { IssuerView } from '../../../identity/people/upstream/issuers.js'
import { type CommonFlags, call, endingOptions, openAgent, showOptions } from '../../context.js'
import { callEnding } from '../../endings/confirm.js'
import { refuseUsage } from '../../errors.js'
import { type ListView, list } from '../../lists/list.js'
import { orgIdOf } from '../../names.js'

interface RegisterFlags extends CommonFlags {
  readonly clientId: string
  readonly autoJoin?: string
}

/** `credence issuer …`. */
export function issuerCommands(program: Command, common: (command: Command) => Command): void {
  const issuer = program.command('issuer').description('OpenID Providers with which the people of an organisation sign in')
  common(issuer.command('register <url>'))
    .description('register the OpenID Provider of your organisation; prints the redirect URI and the keys to set at the provider')
    .requiredOption('--client-id <id>', "the registry's client id at the provider")
    .option('--auto-join <claim=value>', 'people whose ID token has this value join by themselves, in the role person')
    .action((url: string, { clientId, autoJoin, ...flags }: RegisterFlags) =>
      call(flags, 'mutate', 'issuers.register', { url, clientId, ...(autoJoin !== undefined && { autoJoin: ruleOf(autoJoin) }) }),
    )
  showOptions(issuer.command('list [organisation]'))
    .description('list the OpenID Providers of an organisation (default: yours)')
    .action(async (named: string | undefined, flags: CommonFlags) =>
      list(flags, ISSUERS, named === undefined ? {} : { orgId: await orgIdOf((await openAgent(flags)).agent, named) }),
    )
  endingOptions(common(issuer.command('revoke <issuer>')))
    .description(
      'revoke an OpenID Provider, the sessions that it opened and the consents that people gave in them; members and their links stay',
    )
    .action((issuerId: string, flags: CommonFlags) =>
      callEnding(flags, 'issuers.revoke', {
        inputOf: async () => ({ issuerId }),
        describe: async () => ({ revokes: issuerId, endsWithIt: { sessions: 'those that it opened' } }),
      }),
    )
}

function ruleOf(text: string): { readonly claim: string; readonly value: string } {
  const at = text.indexOf('=')
  return at > 0 && at < text.length - 1
    ? { claim: text.slice(0, at), value: text.slice(at + 1) }
    : refuseUsage('--auto-join needs a claim and its value, such as department=finance')
}

const ISSUERS: ListView<IssuerView> = {
  path: 'issuers.list',
  columns: [
    { name: 'id', value: ({ issuerId }) => issuerId, kind: 'id' },
    { name: 'url', value: ({ url }) => url },
    { name: 'client', value: ({ clientId }) => clientId },
    { name: 'autoJoin', value: ({ autoJoin }) => autoJoin && `${autoJoin.claim}=${autoJoin.value}` },
    { name: 'state', value: ({ state }) => state, kind: 'state' },
    { name: 'signIn', value: ({ signInUrl }) => signInUrl },
    { name: 'redirectUri', value: ({ redirectUri }) => redirectUri, kind: 'detail' },
  ],
  fields: {
    issuerId: true,
    url: true,
    clientId: true,
    autoJoin: true,
    signInUrl: true,
    redirectUri: true,
    jwksUri: true,
    state: true,
    createdAt: true,
    handles: true,
  },
}
