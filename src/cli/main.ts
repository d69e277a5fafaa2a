#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { z } from 'zod'
import { CredenceError } from '../client/index.js'
import { isRefusal } from '../errors.js'
import { pointerOf } from '../lib/json-pointer.js'
import { adminCommands } from './commands/admin/admin.js'
import { agentCommands } from './commands/agents.js'
import { logCommands } from './commands/log.js'
import { peopleCommands } from './commands/people.js'
import type { ServeFlags } from './commands/serve.js'
import { registryKeyCommands } from './commands/signing-keys.js'
import { workCommands } from './commands/work.js'
import { collect } from './context.js'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

/** What every command that speaks to a registry takes. */
const common = (command: Command): Command =>
  command
    .option('--profile <name>', 'who is speaking', 'default')
    .option('--home <folder>', 'folder of the profiles (default: ~/.credence)')
    .option('--json', 'print JSON')

const program = new Command('credence')
  .description('A trust registry for A2A agents: signed cards, introductions, revocation within a second')
  .version(String(version))
  .showHelpAfterError()

program
  .command('serve')
  .description('run the registry')
  .option('--config <file>', 'JSON file; flags and CREDENCE_* win over it')
  .option('--data <folder>', 'data directory (default .credence)')
  .option('--store <url>', 'mongodb://…/<database>, where one machine is not enough (default: a file in the data directory)')
  .option(
    '--witness <file or url>',
    'remembers the head of the log: a file, best on another disk, or another registry (default: in the data directory)',
  )
  .option('--witness-for <url>', 'a registry that this one is a witness of (repeat)', collect)
  .option('--issuer <url>', 'public URL of the registry')
  .option('--host <host>', 'address to listen on')
  .option('--port <port>', 'default 4000')
  .option('--admin-port <port>', 'health, on loopback; default 4001')
  .option('--log-level <level>', 'trace, debug, info, warn, error, silent')
  .option('--dev', 'development mode: http on loopback')
  .action(async (flags: ServeFlags) => (await import('./commands/serve.js')).runServe(flags))

peopleCommands(program, common)
agentCommands(program, common)
workCommands(program, common)
logCommands(program, common)
registryKeyCommands(program, common)
adminCommands(program)

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = 1
  process.stderr.write(`${describe(error)}\n`)
}

/** A refusal as its text and faults, and what the machine refuses in its words; anything else is a bug and shows where. */
function describe(error: unknown): string {
  if (error instanceof z.ZodError) {
    const faults = error.issues.map(({ path, message }) => ({ pointer: pointerOf(path.map(String)), hint: message }))
    return lines('bad_input', 'what was given does not fit', faults)
  }
  if (error instanceof Error && 'syscall' in error) return lines('unavailable', error.message)
  if (isRefusal(error)) return lines(error.reason, error.message, error.detail.faults)
  if (error instanceof CredenceError) return lines(error.reason, error.message, error.faults)
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

function lines(reason: string, text: string, faults: readonly { pointer: string; hint: string }[] = []): string {
  return [`${reason}: ${text}`, ...faults.map(({ pointer, hint }) => `  ${pointer || '(whole)'}  ${hint}`)].join('\n')
}
