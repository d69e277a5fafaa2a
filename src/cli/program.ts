import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { adminCommands } from './commands/admin/admin.js'
import { agentCommands } from './commands/agent.js'
import { apiCommand } from './commands/api.js'
import { auditCommands } from './commands/audit.js'
import { cardCommands } from './commands/card.js'
import { introductionCommands } from './commands/introduction.js'
import { keyCommands } from './commands/key.js'
import { limitsCommands } from './commands/limits.js'
import { logCommands } from './commands/log.js'
import { approvalCommands } from './commands/organisation/approval.js'
import { clientCommands } from './commands/organisation/client.js'
import { issuerCommands } from './commands/organisation/issuer.js'
import { levelCommands } from './commands/organisation/level.js'
import { memberCommands } from './commands/organisation/member.js'
import { namespaceCommands } from './commands/organisation/namespace.js'
import { organisationCommands } from './commands/organisation/organisation.js'
import { registrationCommands } from './commands/organisation/registration.js'
import { resourceCommands } from './commands/organisation/resource.js'
import { webhookCommands } from './commands/organisation/webhook.js'
import { consentCommands, familyCommands } from './commands/profile/consent.js'
import { consoleCommand } from './commands/profile/console.js'
import { loginCommands } from './commands/profile/login.js'
import { profileCommands } from './commands/profile/profiles.js'
import { sessionCommands } from './commands/profile/session.js'
import { signInCommands } from './commands/profile/sign-in.js'
import { searchCommand } from './commands/search.js'
import { serveCommand } from './commands/serve.js'
import { signingKeyCommands } from './commands/signing-key.js'
import { taskCommands } from './commands/task.js'
import { tokenCommands } from './commands/token.js'
import { commonOptions } from './context.js'
import { doctorCommand } from './doctor/command.js'
import { completionCommand } from './help/completion.js'
import { EXAMPLES } from './help/examples.js'
import { printErrorLines, printLines } from './output.js'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

/** Help and usage errors of commander: texts of several lines. */
const linesTo = (printTo: typeof printLines) => (text: string) => printTo(...text.replace(/\n$/, '').split('\n'))

/** The command tree. `main.ts` runs it, and `reference.ts` prints it as docs/CLI.md. Usage errors are thrown, and printed first if they are for people. */
export function newProgram({ printsUsageErrors = true }: { readonly printsUsageErrors?: boolean } = {}): Command {
  const program = new Command('credence')
    .description('A trust registry for A2A agents: signed Agent Cards, brokered introductions, immediate revocation')
    .version(String(version))
    .showHelpAfterError('Add --help to the command for its arguments and options.')
    .configureOutput({ writeOut: linesTo(printLines), writeErr: printsUsageErrors ? linesTo(printErrorLines) : () => undefined })
    .exitOverride()
  serveCommand(program)
  const groups = [
    loginCommands,
    profileCommands,
    consoleCommand,
    sessionCommands,
    signInCommands,
    consentCommands,
    familyCommands,
    organisationCommands,
    memberCommands,
    issuerCommands,
    namespaceCommands,
    resourceCommands,
    levelCommands,
    agentCommands,
    registrationCommands,
    clientCommands,
    keyCommands,
    cardCommands,
    searchCommand,
    introductionCommands,
    approvalCommands,
    webhookCommands,
    taskCommands,
    tokenCommands,
    limitsCommands,
    auditCommands,
    logCommands,
    signingKeyCommands,
    apiCommand,
  ]
  for (const add of groups) add(program, commonOptions)
  adminCommands(program)
  doctorCommand(program)
  completionCommand(program)
  addExamples(program)
  return program
}

/** `agent list` for the command of this name. */
export const pathOf = (command: Command): string =>
  command.parent?.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name()

function addExamples(command: Command): void {
  const examples = EXAMPLES[pathOf(command)]
  if (examples) command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  credence ${line}`).join('\n')}`)
  for (const child of command.commands) addExamples(child)
}
