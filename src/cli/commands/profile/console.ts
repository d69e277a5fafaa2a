import { spawn } from 'node:child_process'
import type { Command } from 'commander'
import type { TicketIssued } from '../../../identity/people/ticket.js'
import { type CommonFlags, openAgent } from '../../context.js'
import { isTerminal, print } from '../../output.js'

interface ConsoleFlags extends CommonFlags {
  readonly open: boolean
}

/** `credence console`. */
export function consoleCommand(program: Command, common: (command: Command) => Command): void {
  common(program.command('console'))
    .description(
      'open the web console as this profile: prints the address of the sign-in page with a ticket (60 s, once), and opens it if standard output is a terminal',
    )
    .option('--no-open', 'only print the address')
    .action(async (flags: ConsoleFlags) => {
      const { agent } = await openAgent(flags)
      const { url, expiresAt } = await agent.mutate<TicketIssued>('sessions.ticket', { returnTo: '/console' })
      if (flags.open && !flags.json && isTerminal()) openInBrowser(url)
      print(flags, { url, expiresAt })
    })
}

/** Opens a URL with the program of the desktop, if there is one. */
function openInBrowser(url: string): void {
  const [command = 'xdg-open', ...args] = OPENERS[process.platform] ?? []
  const opener = spawn(command, [...args, url], { stdio: 'ignore', detached: true })
  // The address was printed, so the person can open it
  opener.once('error', () => undefined)
  opener.unref()
}

const OPENERS: Readonly<Record<string, readonly string[]>> = { darwin: ['open'], win32: ['rundll32', 'url.dll,FileProtocolHandler'] }
