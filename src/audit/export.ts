// The rows of an organisation in the order of time, to be copied into another system. A reader goes on with the cursor of the last row that it has
// stored. Rows become visible out of order: each instance commits its own, some of them seconds after they were created. So an export ends before the
// first time at which an instance may still commit a row (`settledUntil`). It is up to a minute behind, or until the rows of a crashed instance are linked.
// Limit: a row may be missed if the clock of the machine is set back while no instance runs.
import { cursorOf, formatCursor, type PageInput } from '../http/paging.js'
import type { Cursor } from '../storage/storage.js'
import { type AuditFilter, type AuditReader, scanRows } from './filter.js'
import { requireAction, viewOf } from './list.js'
import type { AuditStore } from './store.js'

/** The clocks of two instances that decide differ by less (trust-log/clock-skew.ts). */
const CLOCKS_DIFFER_SECONDS = 15
/** For the writer of an earlier build. */
const UNKNOWN_SECONDS = 60

/** `until`: later rows are not settled yet. With a `cursor`, more rows may be ready. */
export async function exportAudit(
  store: Pick<AuditStore, 'rows' | 'writers'>,
  actions: ReadonlySet<string>,
  { orgId, reader, limit, cursor, ...filter }: PageInput & AuditFilter & AuditReader,
) {
  requireAction(actions, filter)
  const { after } = cursorOf({ limit, cursor })
  const until = Math.min(await settledUntil(store), filter.until ?? Number.MAX_SAFE_INTEGER)
  const page = await scanRows(store, { orgId, reader, filter: { ...filter, until }, order: 'up', limit, after })
  const items = page.items.map((row) => ({ cursor: formatCursor([row.createdAt, row.id]), ...viewOf(row, reader) }))
  return { items, until, ...(page.next && { cursor: formatCursor(page.next) }) }
}

async function settledUntil({ writers }: Pick<AuditStore, 'writers'>): Promise<number> {
  let settled = Number.MAX_SAFE_INTEGER
  for (let after: Cursor | undefined; ; ) {
    const page = await writers.find('unlinked', { where: { hasUnlinkedRows: true }, limit: 100, ...(after && { after }) })
    for (const writer of page.items) settled = Math.min(settled, writer.settledUntil ?? writer.lastSeen - UNKNOWN_SECONDS)
    if (page.next === undefined) return settled - CLOCKS_DIFFER_SECONDS
    after = page.next
  }
}
