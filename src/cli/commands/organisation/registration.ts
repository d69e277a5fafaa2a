import type { Command } from 'commander'
import type { GrantList } from '../../../identity/registrations/list.js'
import { systemClock } from '../../../lib/clock.js'
import { type CommonFlags, call, collect, confirmationOptions, type ListFlags, listOptions, secondsOf, wholeNumber } from '../../context.js'
import { callEnding } from '../../endings/confirm.js'
import { endingOfRegistration } from '../../endings/describe.js'
import { refuseUsage } from '../../errors.js'
import { type ListView, list } from '../../lists/list.js'
import { type CeilingFlags, ceilingOfFlags, ceilingOptions } from '../agent.js'

const GRANTS: ListView<GrantList['items'][number]> = {
  path: 'registrations.list',
  columns: [
    { name: 'id', value: ({ registrationId }) => registrationId, kind: 'id' },
    { name: 'state', value: ({ state }) => state, kind: 'state' },
    { name: 'left', value: ({ usesLeft }) => usesLeft },
    { name: 'uses', value: ({ uses }) => uses },
    { name: 'grants', value: ({ grantTypes }) => grantTypes.map((type) => type.replace(URN, '')).join(' ') },
    { name: 'expires', value: ({ expiresAt }) => expiresAt, kind: 'time' },
    { name: 'issuedBy', value: ({ issuedBy }) => issuedBy, kind: 'id' },
  ],
  fields: {
    registrationId: true,
    state: true,
    uses: true,
    usesLeft: true,
    grantTypes: true,
    redirectHosts: true,
    ceiling: true,
    issuedBy: true,
    issuedAt: true,
    expiresAt: true,
  },
}

const URN = 'urn:ietf:params:oauth:grant-type:'

interface IssueFlags extends CeilingFlags {
  readonly for?: number
  readonly uses?: number
  readonly grantType?: readonly string[]
  readonly redirectHost?: readonly string[]
}

/** `credence registration …`. */
export function registrationCommands(program: Command, common: (command: Command) => Command): void {
  const registration = program.command('registration').description('let software register clients of the organisation by itself (RFC 7591)')
  ceilingOptions(common(registration.command('issue')))
    .description('print an initial access token for /oauth/register; agents that are registered with it get at most the ceiling')
    .option('--for <duration>', 'how long it may be used: 45s, 30m, 12h or 7d, at most 30d', secondsOf)
    .option('--uses <n>', 'how many clients it may register, at most 1000 (default: 1)', wholeNumber)
    .option(
      '--grant-type <type>',
      'grant type that a client may register: client_credentials, token-exchange, authorization_code or refresh_token (repeatable)',
      collect,
    )
    .option('--redirect-host <host>', 'host that redirect URIs may have (repeatable; default: any)', collect)
    .action(issue)
  listOptions(registration.command('list'))
    .description('list the initial access tokens of the organisation that have not expired')
    .action((flags: ListFlags) => list(flags, GRANTS))
  confirmationOptions(common(registration.command('revoke <registrationId>')))
    .description('withdraw an initial access token; the clients that were registered with it stay')
    .action((registrationId: string, flags: CommonFlags) =>
      callEnding(flags, 'registrations.revoke', { inputOf: async () => ({ registrationId }), describe: endingOfRegistration }),
    )
}

async function issue(flags: CommonFlags & IssueFlags): Promise<void> {
  const { for: seconds, grantType: types, uses, redirectHost: redirectHosts } = flags
  if (seconds === undefined || types === undefined) return refuseUsage('--for and at least one --grant-type are required')
  return call(flags, 'mutate', 'registrations.issue', {
    ceiling: await ceilingOfFlags(flags),
    expiresAt: systemClock.now() + seconds,
    grantTypes: types.map((type) => (type === 'token-exchange' ? URN + type : type)),
    ...(uses !== undefined && { uses }),
    ...(redirectHosts && { redirectHosts }),
  })
}
