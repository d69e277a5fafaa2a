// Lists: pages of a procedure, printed as a table, as tab-separated values, or as JSON. On a terminal the next page comes on request, so a list
// of any length costs one page at a time.
import type { Agent } from '../../client/index.js'
import { type CommonFlags, definedIn, type ListFlags, openAgent } from '../context.js'
import { selectFields } from '../fields.js'
import { ask, canAsk, isTerminal, print, printErrorLines, printMore, printTable, withProgress } from '../output.js'
import type { Column } from '../terminal/table.js'

/** A procedure that returns a list, and how it is printed. */
export interface ListView<T> {
  readonly path: string
  readonly columns: readonly Column<T>[]
  /** Every member of an item, for `--json <fields>`. */
  readonly fields: { readonly [K in keyof T]-?: true }
  /** The member of a response that holds the items. Default: `items`. */
  readonly itemsIn?: string
}

/** Items of a list, and whether there are more. `others` are the other members of the response. */
interface Batch<T> {
  readonly items: readonly T[]
  readonly hasMore: boolean
  readonly others: Readonly<Record<string, unknown>>
}

/** Reads the next items of a list, at most `limit`. */
export type Read<T> = (limit: number) => Promise<Batch<T>>

const PAGE = 20
/** The most that a procedure returns at once. */
const MAX_PAGE = 100

/** Prints the one item that a procedure returns. `--json` selects among the fields of the list. */
export async function showOne<T extends object>(flags: CommonFlags, path: string, input: object, { fields }: ListView<T>): Promise<void> {
  const { agent } = await openAgent(flags)
  print(flags, await agent.query<T>(path, input), Object.keys(fields))
}

/** Prints a list of a procedure. */
export async function list<T extends object>(flags: ListFlags, view: ListView<T>, input: object = {}): Promise<void> {
  const { agent } = await openAgent(flags)
  return printList(flags, view, readOf(agent, view, { ...input, cursor: flags.cursor }))
}

/** Short lists, which have no pages. */
const UNPAGED = [
  'issuers.list',
  'keys.list',
  'levels.list',
  'links.list',
  'namespaces.list',
  'passkeys.list',
  'sessions.list',
  'signingKeys.list',
  'webhooks.list',
]

/** Reads the pages of a procedure one after the other. */
export function readOf<T>(agent: Agent, { path, itemsIn = 'items' }: Pick<ListView<T>, 'path' | 'itemsIn'>, input: object): Read<T> {
  let next = input
  return async (limit) => {
    const paging = UNPAGED.includes(path) ? {} : { limit }
    const response = await agent.query<Record<string, unknown> & { cursor?: string }>(path, definedIn({ ...next, ...paging }))
    next = { ...input, cursor: response.cursor }
    const { [itemsIn]: items, ...others } = response
    return { items: items as readonly T[], hasMore: response.cursor !== undefined, others } // the caller names the type of the items
  }
}

export async function printList<T extends object>(flags: ListFlags, view: ListView<T>, read: Read<T>): Promise<void> {
  const { limit, all = false } = flags
  const wanted = all ? Number.POSITIVE_INFINITY : (limit ?? PAGE)
  if (flags.json) return printJson(flags, view, await collectFrom(read, wanted))
  if (limit === undefined && !all && isTerminal() && canAsk()) return browse(view, read)
  // The widths of a table depend on all its rows; values without a table are printed page by page.
  let shown = 0
  let batch: Batch<T>
  do {
    batch = await collectFrom(read, isTerminal() ? wanted : Math.min(wanted - shown, MAX_PAGE))
    shown === 0 ? printTable(view.columns, batch.items) : printMore(view.columns, batch.items)
    shown += batch.items.length
  } while (batch.hasMore && shown < wanted)
  if (batch.hasMore) printErrorLines(`${countText(shown, batch)}; more: --all`)
}

/** Prints a page, and the next one each time the person wants more. */
async function browse<T>(view: ListView<T>, read: Read<T>): Promise<void> {
  for (let shown = 0; ; ) {
    const batch = await collectFrom(read, PAGE)
    printTable(view.columns, batch.items)
    shown += batch.items.length
    if (!batch.hasMore) return
    const answer = await ask(`${countText(shown, batch)}; Enter: more, q: stop `)
    if (answer !== '') return
  }
}

function printJson<T extends object>(flags: CommonFlags, view: ListView<T>, { items, hasMore, others }: Batch<T>): void {
  if (typeof flags.json === 'string') print({ json: true }, selectFields(items, flags.json, Object.keys(view.fields)))
  else print(flags, { ...others, [view.itemsIn ?? 'items']: items })
  if (hasMore) printErrorLines(`${countText(items.length, { others })}; more: --all`)
}

const countText = (shown: number, { others }: Pick<Batch<unknown>, 'others'>): string =>
  typeof others.total !== 'number' ? `${shown} shown` : `${shown} of ${others.total} shown`

/** Reads up to `wanted` items. A page may be shorter than asked, or empty, while there are more. */
async function collectFrom<T>(read: Read<T>, wanted: number): Promise<Batch<T>> {
  let items: readonly T[] = []
  for (;;) {
    const page = await withProgress('reading', () => read(Math.min(wanted - items.length, MAX_PAGE)))
    items = [...items, ...page.items]
    if (!page.hasMore || items.length >= wanted) return { ...page, items }
  }
}
