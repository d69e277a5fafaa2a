import { createInterface } from 'node:readline'
import { styleText } from 'node:util'
import { refuse } from '../errors.js'
import { systemClock } from '../lib/clock.js'
import { printable, printableExactly } from '../lib/io/printable.js'
import { selectFields } from './fields.js'
import { type Column, type Segment, tableLines, tsvCells } from './terminal/table.js'
import { isoTime, isTime } from './terminal/times.js'

/** `--json`, or `--json name,state`. */
export interface JsonFlag {
  readonly json?: boolean | string
}

/** Prints lines on standard output. Only this file writes to the terminal, so no text that others wrote reaches it unescaped. */
export const printLines = (...lines: readonly string[]): void => write(process.stdout, lines)

/** Prints lines on standard error: warnings, progress and errors. */
export const printErrorLines = (...lines: readonly string[]): void => write(process.stderr, lines)

/** Standard output, for data of a command. Refuses a terminal, to which only escaped text is written. */
export const standardOutput = (): NodeJS.WritableStream =>
  process.stdout.isTTY ? refuse('bad_input', 'standard output is a terminal: name a file, or use a pipe') : process.stdout

/** Prints a value as one line of JSON, or for people as a tree of `name  value` lines. `fields` are those of which some may be absent. */
export const print = ({ json }: JsonFlag, value: unknown, fields?: readonly string[]): void => {
  const selected = typeof json === 'string' ? selectFields(value, json, fields) : value
  printLines(...(json ? [JSON.stringify(selected ?? null)] : readable(selected)))
}

/** Prints items as a table on a terminal, and otherwise as tab-separated values. */
export function printTable<T>(columns: readonly Column<T>[], items: readonly T[]): void {
  if (!isTerminal()) writeTsv([columns.map(({ name }) => name), ...items.map((item) => tsvCells(columns, item))])
  else if (items.length === 0) printErrorLines('none')
  else printForPeople(columns, items)
}

function printForPeople<T>(columns: readonly Column<T>[], items: readonly T[]): void {
  const { lines, leftOut } = tableLines(columns, items, { width: process.stdout.columns || 80, now: systemClock.now() })
  clearProgress()
  process.stdout.write(lines.map((line) => `${line.map(styled).join('')}\n`).join(''))
  if (leftOut.length > 0) printErrorLines(`(the terminal is too narrow for: ${leftOut.join(', ')})`)
}

/** Prints further items of a list whose first page `printTable` has printed. */
export const printMore = <T>(columns: readonly Column<T>[], items: readonly T[]): void =>
  isTerminal() ? printTable(columns, items) : writeTsv(items.map((item) => tsvCells(columns, item)))

/** Tabs, line ends and backslashes in a cell are escaped, so a line is always one item. */
const writeTsv = (rows: readonly (readonly string[])[]): void => {
  process.stdout.write(rows.map((cells) => `${cells.map(printableExactly).join('\t')}\n`).join(''))
}

export const isTerminal = (): boolean => process.stdout.isTTY === true

/** Escapes come after `printable`, so only this file adds them. `hasColors` follows NO_COLOR, FORCE_COLOR and TERM=dumb. */
const styled = ({ text, style }: Segment): string =>
  style === undefined || process.stdout.hasColors?.() !== true ? printable(text) : styleText(style, printable(text))

/** True if a person can be asked. */
export const canAsk = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true

/** Asks on standard error and returns the line that was typed, or undefined if the input ended. */
export function ask(question: string): Promise<string | undefined> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  return new Promise((resolve) => {
    lines.once('line', (line) => {
      resolve(line.trim())
      lines.close()
    })
    lines.once('close', () => resolve(undefined))
    lines.setPrompt(printable(question))
    lines.prompt()
  })
}

/** Columns of the progress line that is shown now. */
let progressWidth = 0

/** Shows a step of a long command: on a terminal in one line, which the next step replaces, and elsewhere as a line of its own. */
export function showStep(text: string): void {
  if (process.stderr.isTTY) showProgress(text)
  else printErrorLines(text)
}

function showProgress(text: string): void {
  const line = printable(text).slice(0, (process.stderr.columns || 80) - 1)
  process.stderr.write(`\r${line.padEnd(progressWidth)}`)
  progressWidth = line.length
}

function clearProgress(): void {
  if (progressWidth === 0) return
  process.stderr.write(`\r${' '.repeat(progressWidth)}\r`)
  progressWidth = 0
}

/** Shows how long the work takes, once that is more than a second. Nothing is shown without a terminal. */
export async function withProgress<T>(what: string, work: () => Promise<T>): Promise<T> {
  if (process.stderr.isTTY !== true) return work()
  const done = new AbortController()
  const show = async () => {
    for (let seconds = 1; ; seconds++) {
      await systemClock.after(1000, done.signal)
      if (done.signal.aborted) return
      showProgress(`${what} … ${seconds} s`)
    }
  }
  void show()
  try {
    return await work()
  } finally {
    done.abort()
    clearProgress()
  }
}

/** A reader that has closed the pipe, such as `head`, needs no more lines. */
process.stdout.on('error', (error) => {
  if (!('code' in error) || error.code !== 'EPIPE') throw error
  process.exit()
})

function write(stream: NodeJS.WritableStream, lines: readonly string[]): void {
  clearProgress()
  stream.write(lines.map((line) => `${printable(line)}\n`).join(''))
}

/** An object becomes `name  value` lines; the items of a list are separated by `--`. Times are in ISO 8601. */
function readable(value: unknown, indent = ''): string[] {
  if (Array.isArray(value)) return value.length === 0 ? [`${indent}(none)`] : value.flatMap((item, at) => listItem(item, at, indent))
  if (typeof value !== 'object' || value === null) return [`${indent}${printableExactly(String(value))}`]
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([name, member]) => [printableExactly(name), member] as const)
  const width = Math.max(0, ...members.map(([name]) => name.length))
  return members.flatMap(([name, member]) => {
    const isNested = typeof member === 'object' && member !== null
    const text = isTime(name, member) ? isoTime(member) : printableExactly(String(member))
    return isNested ? [`${indent}${name}`, ...readable(member, `${indent}  `)] : [`${indent}${name.padEnd(width)}  ${text}`]
  })
}

const listItem = (item: unknown, at: number, indent: string): string[] => [...(at > 0 ? [`${indent}--`] : []), ...readable(item, indent)]
