// Tables for a terminal, and tab-separated values for programs. A table never is wider than the terminal, except for its first column: columns of the
// highest rank are left out until the others fit at their narrowest, and the space that is left goes to the columns of the lowest rank first.
import stringWidth from 'string-width'
import { printableExactly } from '../../lib/io/printable.js'
import { humanTime, isoTime } from './times.js'

export interface Column<T> {
  readonly name: string
  readonly value: (item: T) => unknown
  /** `id`: never cut off, because it is copied. `time`: epoch seconds. `state`: coloured. `detail`: only in tab-separated values. */
  readonly kind?: 'id' | 'time' | 'state' | 'detail'
  /** Columns of a high rank are left out first on a narrow terminal. Default: the position of the column. */
  readonly rank?: number
}

/** A part of a line with a style of `styleText` (node:util). */
export interface Segment {
  readonly text: string
  readonly style?: 'bold' | 'dim' | 'green' | 'yellow' | 'red'
}

const GAP = 2
/** A column that may be cut off keeps this width. */
const NARROWEST = 10
/** Longer cells are cut off also on a wide terminal. */
const WIDEST = 60

const STATE_STYLES: Readonly<Record<string, Segment['style']>> = {
  active: 'green',
  granted: 'green',
  current: 'green',
  proved: 'green',
  signing: 'green',
  verified: 'green',
  signed: 'green',
  pending: 'yellow',
  registered: 'yellow',
  suspended: 'yellow',
  retired: 'yellow',
  retiring: 'yellow',
  failing: 'yellow',
  needsApproval: 'yellow',
}

/** The lines of a table of at most `width` cells, and the names of the columns that did not fit. */
export function tableLines<T>(
  columns: readonly Column<T>[],
  items: readonly T[],
  { width, now }: { readonly width: number; readonly now: number },
): { readonly lines: readonly (readonly Segment[])[]; readonly leftOut: readonly string[] } {
  const all = columns
    .filter(({ kind }) => kind !== 'detail')
    .map((column, at) => {
      const cells = items.map((item) => printableExactly(cellOf(column, item, (value) => humanTime(value, now))))
      const natural = Math.min(Math.max(...[column.name, ...cells].map((cell) => stringWidth(cell))), column.kind === 'id' ? 256 : WIDEST)
      return { ...column, cells, natural, least: column.kind === 'id' ? natural : Math.min(natural, NARROWEST), rank: column.rank ?? at }
    })
    // A column without any value says nothing
    .filter(({ cells }, at) => at === 0 || items.length === 0 || cells.some((cell) => cell !== ''))
  const shown = [...all]
  const leastOf = () => shown.reduce((sum, { least }) => sum + least + GAP, -GAP)
  while (shown.length > 1 && leastOf() > width) shown.splice(shown.indexOf(shown.reduce((a, b) => (b.rank > a.rank ? b : a))), 1)
  let room = width - leastOf()
  const widths = new Map<string, number>()
  for (const { name, natural, least } of [...shown].sort((a, b) => a.rank - b.rank)) {
    const more = Math.max(0, Math.min(room, natural - least))
    widths.set(name, least + more)
    room -= more
  }
  const lineOf = (segmentOf: (column: (typeof shown)[number]) => Segment): Segment[] =>
    shown.map((column, at) => {
      const { text, style } = segmentOf(column)
      const inWidth = cut(text, widths.get(column.name) ?? 0)
      return { text: at === shown.length - 1 ? inWidth.trimEnd() : inWidth + ' '.repeat(GAP), ...(style && { style }) }
    })
  const head = lineOf(({ name }) => ({ text: name.toUpperCase(), style: 'bold' }))
  const rows = items.map((_, row) =>
    lineOf(({ cells, kind }) => {
      const text = cells[row] ?? ''
      return { text, ...(kind === 'state' && { style: STATE_STYLES[text] ?? 'red' }), ...(kind === 'time' && { style: 'dim' as const }) }
    }),
  )
  const leftOut = all.filter((column) => !shown.includes(column)).map(({ name }) => name)
  return { lines: [head, ...rows], leftOut }
}

/** The cells of an item for tab-separated values. The columns and their order never depend on the items. */
export const tsvCells = <T>(columns: readonly Column<T>[], item: T): string[] => columns.map((column) => cellOf(column, item, isoTime))

/** Lists are separated by spaces; other objects are JSON. */
function cellOf<T>({ value, kind }: Column<T>, item: T, timeText: (value: unknown) => string): string {
  const cell = value(item)
  if (cell === undefined || cell === null) return ''
  if (kind === 'time') return timeText(cell)
  if (Array.isArray(cell)) return cell.map(String).join(' ')
  return typeof cell === 'object' ? JSON.stringify(cell) : String(cell)
}

/** The text in exactly `width` cells of the terminal. Characters of East Asian scripts take two. */
function cut(text: string, width: number): string {
  const missing = width - stringWidth(text)
  if (missing >= 0) return text + ' '.repeat(missing)
  let kept = ''
  let used = 0
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    const cells = stringWidth(segment)
    if (used + cells > width - 1) break
    kept += segment
    used += cells
  }
  return `${kept}…${' '.repeat(width - 1 - used)}`
}
