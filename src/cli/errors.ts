import { CommanderError } from 'commander'
import { z } from 'zod'
import { CredenceError, causeText, DamagedStore, type Fault, Refusal } from '../errors.js'
import { faultsMissingIn, textOfIssues } from '../protocol/input-faults.js'

/** The command cannot be run as it was typed. Nothing was sent and nothing was changed. */
class UsageError extends Refusal {
  constructor(text: string) {
    super('bad_input', text)
    this.name = 'UsageError'
  }
}

export function refuseUsage(text: string): never {
  throw new UsageError(text)
}

/** Exit codes of the command line. A refusal of any other kind is REFUSED. */
const [REFUSED, USAGE, NOT_AUTHENTICATED] = [1, 2, 4]

const NOT_AUTHENTICATED_REASONS = ['invalid_client', 'invalid_token']

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE
  if (error instanceof UsageError) return USAGE
  return error instanceof CredenceError && NOT_AUTHENTICATED_REASONS.includes(error.reason) ? NOT_AUTHENTICATED : REFUSED
}

/** An error as it is printed. `stack` is there for bugs only. */
interface Described {
  readonly code: string
  readonly message: string
  readonly faults?: readonly Fault[]
  readonly hint?: string
  readonly stack?: readonly string[]
}

const HINTS: Readonly<Record<string, string>> = {
  invalid_client: 'is the profile right (credence profiles), and its key still registered? If not, log in again (credence login)',
  insufficient_scope: 'the client may not do this; use the profile of an administrator or operator (--profile)',
  rate_limited: 'wait, and run the command again',
}

const WHAT_TO_DO = 'Run credence admin check, which names all damage and says what to do'

/** A refusal or a system error with its faults; anything else is a bug and has its stack. */
export function describeError(error: unknown): Described {
  if (error instanceof CommanderError) return { code: 'usage', message: error.message.replace(/^error: /, '') }
  if (error instanceof z.ZodError) return { code: 'bad_input', message: textOfIssues(error.issues) }
  if (error instanceof Error && 'syscall' in error) return { code: 'unavailable', message: systemText(error) }
  if (error instanceof DamagedStore) return { code: 'unavailable', message: `${error.message}. ${WHAT_TO_DO}` }
  if (error instanceof CredenceError) {
    const { reason, faults } = error
    const hint = HINTS[reason]
    const message = [error.message, causeText(error)].filter((text) => text !== undefined).join(': ')
    return { code: reason, message, ...(faults.length > 0 && { faults }), ...(hint && { hint }) }
  }
  if (!(error instanceof Error)) return { code: 'server_error', message: String(error) }
  return { code: 'server_error', message: String(error), stack: framesOf(error) }
}

const SystemError = z.object({ code: z.string(), syscall: z.string(), path: z.string() })

/** A file where a directory is needed is a common slip, which the messages of Node do not name. */
export function systemText(error: Error): string {
  const { data } = SystemError.safeParse(error)
  const isFile = data?.code === 'ENOTDIR' || (data?.code === 'EEXIST' && data.syscall === 'mkdir')
  return isFile ? `${data.path}: a directory is needed, but a file is there` : error.message
}

/** The lines for people. */
export function errorLines({ code, message, faults = [], hint, stack }: Described): string[] {
  if (stack !== undefined) return [message, ...stack]
  const unnamed = faultsMissingIn(message, faults)
  return [
    `${code}: ${message}`,
    ...unnamed.map(({ pointer, hint }) => `  ${pointer || '(whole input)'}  ${hint}`),
    ...(hint === undefined ? [] : [`hint: ${hint}`]),
  ]
}

/** The lines of the stack below the message, which may have several lines itself. */
function framesOf({ stack = '', message }: Error): string[] {
  return stack
    .slice(stack.indexOf(message) + message.length)
    .split('\n')
    .slice(1)
}
