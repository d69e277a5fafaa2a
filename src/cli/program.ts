import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { adminCommands } from './commands/admin/admin.js'
import { agentCommands } from './commands/agent.js'
import { auditCommands } from './commands/audit.js'
import { cardCommands } from './commands/card.js'
import { introductionCommands } from './commands/introduction.js'
import { keyCommands } from './commands/key.js'
import { limitsCommands } from './commands/limits.js'
import { logCommands } from './commands/log.js'
import { loginCommands } from './commands/login.js'
import { memberCommands } from './commands/organisation/member.js'
import { namespaceCommands } from './commands/organisation/namespace.js'
import { organisationCommands } from './commands/organisation/organisation.js'
import { searchCommand } from './commands/search.js'
import { serveCommand } from './commands/serve.js'
import { signingKeyCommands } from './commands/signing-key.js'
import { taskCommands } from './commands/task.js'
import { tokenCommands } from './commands/token.js'
import { doctorCommand } from './doctor/command.js'
import { printErrorLines, printLines } from './output.js'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

/** Adds the options of every command that talks to a registry. */
const common = (command: Command): Command =>
  command
    .option('--profile <name>', 'profile to use: identity and registry', 'default')
    .option('--home <folder>', 'folder of the profiles (default: ~/.credence)')
    .option('--json', 'print JSON')

/** Help and usage errors of commander: texts of several lines. */
const linesTo = (printTo: typeof printLines) => (text: string) => printTo(...text.replace(/\n$/, '').split('\n'))

/** The command tree. `main.ts` runs it, and `reference.ts` prints it as docs/CLI.md. */
export function newProgram(): Command {
  const program = new Command('credence')
    .description('A trust registry for A2A agents: signed Agent Cards, brokered introductions, immediate revocation')
    .version(String(version))
    .showHelpAfterError('Add --help to the command for its arguments and options.')
    .configureOutput({ writeOut: linesTo(printLines), writeErr: linesTo(printErrorLines) })
  serveCommand(program)
  const groups = [
    loginCommands,
    organisationCommands,
    memberCommands,
    namespaceCommands,
    agentCommands,
    keyCommands,
    cardCommands,
    searchCommand,
    introductionCommands,
    taskCommands,
    tokenCommands,
    limitsCommands,
    auditCommands,
    logCommands,
    signingKeyCommands,
  ]
  for (const add of groups) add(program, common)
  adminCommands(program)
  doctorCommand(program)
  return program
}
