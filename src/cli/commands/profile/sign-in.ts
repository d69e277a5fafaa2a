import type { Command } from 'commander'
import type { PasskeyView } from '../../../identity/people/passkeys/passkeys.js'
import type { LinkView } from '../../../identity/people/upstream/issuers.js'
import { type CommonFlags, endingOptions, openAgent, showOptions } from '../../context.js'
import { callEnding } from '../../endings/confirm.js'
import { type ListView, list } from '../../lists/list.js'
import { memberIdOf } from '../../names.js'

interface MemberFlags extends CommonFlags {
  readonly member?: string
}

const PASSKEYS: ListView<PasskeyView> = {
  path: 'passkeys.list',
  columns: [
    { name: 'id', value: ({ passkeyId }) => passkeyId, kind: 'id' },
    { name: 'created', value: ({ createdAt }) => createdAt, kind: 'time' },
    { name: 'lastUsed', value: ({ usedAt }) => usedAt, kind: 'time' },
  ],
  fields: { passkeyId: true, createdAt: true, usedAt: true, handles: true },
}

const LINKS: ListView<LinkView> = {
  path: 'links.list',
  columns: [
    { name: 'id', value: ({ linkId }) => linkId, kind: 'id' },
    { name: 'issuer', value: ({ issuerId }) => issuerId },
    { name: 'linked', value: ({ linkedAt }) => linkedAt, kind: 'time' },
  ],
  fields: { linkId: true, issuerId: true, linkedAt: true, handles: true },
}

/** `credence passkey …` and `credence link …`. */
export function signInCommands(program: Command, common: (command: Command) => Command): void {
  const passkey = program.command('passkey').description('list and revoke passkeys, with which people sign in to the pages')
  listCommand(passkey, 'list your passkeys', PASSKEYS)
  revokeCommand(common, passkey, 'passkeyId', 'passkeys.revoke').description(
    'revoke a passkey, the sessions that it opened and the consents that were given in them',
  )
  const link = program.command('link').description('list and revoke the accounts at OpenID Providers with which people sign in')
  listCommand(link, 'list your accounts at OpenID Providers', LINKS)
  revokeCommand(common, link, 'linkId', 'links.revoke').description(
    'revoke an account, the sessions that it opened and the consents that were given in them; a signed-in member can link it again',
  )
}

const listCommand = <V extends object>(group: Command, text: string, view: ListView<V>): Command =>
  showOptions(group.command('list'))
    .description(text)
    .option('--member <member>', 'another member (id or name), for administrators')
    .action(async (flags: MemberFlags) =>
      list(flags, view, flags.member === undefined ? {} : { memberId: await memberIdOf((await openAgent(flags)).agent, flags.member) }),
    )

const revokeCommand = (common: (command: Command) => Command, group: Command, member: 'passkeyId' | 'linkId', path: string): Command =>
  endingOptions(common(group.command(`revoke <${group.name()}>`))).action((id: string, flags: CommonFlags) =>
    callEnding(flags, path, {
      inputOf: async () => ({ [member]: id }),
      describe: async () => ({
        revokes: id,
        endsWithIt: { sessions: 'those that it opened', consents: 'those that were given in these sessions' },
      }),
    }),
  )
