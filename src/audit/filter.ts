import { z } from 'zod'
import { ActorId, type OrgId, TaskId, TokenId } from '../protocol/ids.js'
import type { Cursor, Page } from '../storage/storage.js'
import { AuditRow, type AuditStore } from './store.js'
import { visibleActor } from './visible-actor.js'

/** The audit rows that a list or an export contains. All filters must match. */
export const AUDIT_FILTER = {
  tokenId: TokenId.optional(),
  taskId: TaskId.optional(),
  subject: z.string().min(1).max(128).optional(),
  actor: ActorId.optional(),
  action: z.string().max(64).optional(),
  outcome: AuditRow.shape.outcome.optional(),
  /** Epoch seconds: from this second on, and before this second. */
  from: z.int().min(0).optional(),
  until: z.int().min(0).optional(),
}
export type AuditFilter = z.infer<z.ZodObject<typeof AUDIT_FILTER>>

/** Filters with an index of the same name, those that match fewest rows first. */
const INDEXED = ['tokenId', 'taskId', 'subject', 'actor', 'action', 'outcome'] as const
/** Maximum number of rows that one call reads in search of rows that match several filters. If more remain, the page has a cursor. */
const MAX_READ = 10_000
const PAGE = 500

/** The organisation whose rows are read, and who reads them. */
export interface AuditReader {
  readonly orgId: OrgId
  readonly reader: OrgId | 'everyone'
}

interface Scan extends AuditReader {
  readonly filter: AuditFilter
  readonly order: 'up' | 'down'
  readonly limit: number
  readonly after?: Cursor | undefined
}

/** Reads one page in the order of time, from the index of the first filter. A page without a cursor is the last one. */
export async function scanRows(
  { rows }: Pick<AuditStore, 'rows'>,
  { orgId, reader, filter, order, limit, after }: Scan,
): Promise<Page<AuditRow>> {
  const given = INDEXED.filter((name) => filter[name] !== undefined)
  const [index, ...others] = given
  const where = { orgIds: orgId, ...(index && { [index]: filter[index] }) }
  const { from = 0, until = Number.MAX_SAFE_INTEGER } = filter
  const isBefore = ({ createdAt }: AuditRow) => (order === 'up' ? createdAt < from : createdAt >= until)
  const isPast = ({ createdAt }: AuditRow) => (order === 'up' ? createdAt >= until : createdAt < from)
  const items: AuditRow[] = []
  let position = after ?? startOf(filter, order)
  for (let read = 0; read < MAX_READ; read += PAGE) {
    // A further row, past the page, shows whether the page is the last one
    const size = others.length === 0 ? limit + 1 - items.length : PAGE
    const page = await rows.find(index ?? 'organisation', { where, order, limit: size, ...(position && { after: position }) })
    for (const row of page.items) {
      if (isPast(row)) return { items }
      if (isBefore(row) || others.some((name) => row[name] !== filter[name])) continue
      if (filter.actor !== undefined && visibleActor(row, reader) !== filter.actor) continue
      const last = items.at(-1)
      if (items.length === limit && last) return { items, next: [last.createdAt, last.id] }
      items.push(row)
    }
    if (page.next === undefined) return { items }
    position = page.next
  }
  return { items, ...(position && { next: position }) }
}

/** The position before the first row in the range of time: no id sorts before the empty text or after U+FFFF. */
const startOf = ({ from, until }: AuditFilter, order: Scan['order']): Cursor | undefined => {
  if (order === 'up') return from === undefined ? undefined : [from - 1, '\uffff']
  return until === undefined ? undefined : [until, '']
}
