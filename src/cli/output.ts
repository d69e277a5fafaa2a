import { refuse } from '../errors.js'
import { printable } from '../lib/io/printable.js'

/** Prints lines on standard output. Only this file writes to the terminal, so no text that others wrote reaches it unescaped. */
export const printLines = (...lines: readonly string[]): void => write(process.stdout, lines)

/** Prints lines on standard error: warnings, progress and errors. */
export const printErrorLines = (...lines: readonly string[]): void => write(process.stderr, lines)

/** Standard output, for data of a command. Refuses a terminal, to which only escaped text is written. */
export const standardOutput = (): NodeJS.WritableStream =>
  process.stdout.isTTY ? refuse('bad_input', 'standard output is a terminal: name a file, or use a pipe') : process.stdout

/** Prints a value as one line of JSON, or for people as a tree of `name  value` lines. */
export const print = (flags: { readonly json?: boolean }, value: unknown): void =>
  printLines(...(flags.json ? [JSON.stringify(value ?? null)] : readable(value)))

function write(stream: NodeJS.WritableStream, lines: readonly string[]): void {
  stream.write(lines.map((line) => `${printable(line)}\n`).join(''))
}

/** An object becomes `name  value` lines; the items of a list are separated by `--`. */
function readable(value: unknown, indent = ''): string[] {
  if (Array.isArray(value)) return value.length === 0 ? [`${indent}(none)`] : value.flatMap((item, at) => listItem(item, at, indent))
  if (typeof value !== 'object' || value === null) return [`${indent}${String(value)}`]
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([name, member]) => [printable(name), member] as const)
  const width = Math.max(0, ...members.map(([name]) => name.length))
  return members.flatMap(([name, member]) => {
    const isNested = typeof member === 'object' && member !== null
    return isNested ? [`${indent}${name}`, ...readable(member, `${indent}  `)] : [`${indent}${name.padEnd(width)}  ${String(member)}`]
  })
}

const listItem = (item: unknown, at: number, indent: string): string[] => [...(at > 0 ? [`${indent}--`] : []), ...readable(item, indent)]
