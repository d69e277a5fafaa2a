import type { Command } from 'commander'
import type { SessionView } from '../../../identity/people/sessions.js'
import { type CommonFlags, call, openAgent, showOptions } from '../../context.js'
import { refuseUsage } from '../../errors.js'
import { type ListView, list } from '../../lists/list.js'
import { memberIdOf } from '../../names.js'

interface SessionFlags extends CommonFlags {
  readonly member?: string
}

/** `credence session …`. */
export function sessionCommands(program: Command, common: (command: Command) => Command): void {
  const session = program.command('session').description('list the sessions of browsers, and sign them out')
  const memberOption = (command: Command) => command.option('--member <member>', 'another member (id or name), for administrators')
  memberOption(showOptions(session.command('list')))
    .description('list the sessions of browsers')
    .action(async (flags: SessionFlags) => list(flags, SESSIONS, await inputOf(flags)))
  memberOption(common(session.command('end <session>')))
    .description('sign a browser out, or with "all" every browser')
    .action(async (named: string, flags: SessionFlags) => {
      if (named === 'all') return call(flags, 'mutate', 'sessions.endAll', await inputOf(flags))
      if (flags.member !== undefined) refuseUsage('--member needs "all"; a session id names its member')
      return call(flags, 'mutate', 'sessions.end', { sessionId: named })
    })
}

const inputOf = async (flags: SessionFlags): Promise<object> =>
  flags.member === undefined ? {} : { memberId: await memberIdOf((await openAgent(flags)).agent, flags.member) }

const SESSIONS: ListView<SessionView> = {
  path: 'sessions.list',
  columns: [
    { name: 'id', value: ({ sessionId }) => sessionId, kind: 'id' },
    { name: 'signedIn', value: ({ signedInAt }) => signedInAt, kind: 'time' },
    { name: 'lastUsed', value: ({ lastUsedAt }) => lastUsedAt, kind: 'time' },
    { name: 'expires', value: ({ expiresAt }) => expiresAt, kind: 'time' },
    { name: 'by', value: ({ amr }) => amr.join(' ') },
    { name: 'browser', value: ({ browser }) => browser },
  ],
  fields: { sessionId: true, signedInAt: true, lastUsedAt: true, expiresAt: true, amr: true, browser: true, handles: true },
}
