// Verifies the hash chains of all writers, at most MAX_LINKS links per call: first the writers with unlinked rows, then the others.
// Limit: if the last rows of a chain were removed together with their links, the rest of the chain still matches, and the loss is not detected.
import { z } from 'zod'
import { refuse } from '../errors.js'
import { type Caller, isAdminOf } from '../http/caller.js'
import { checkLink, lastLink, lastRow } from './chain.js'
import type { AuditStore } from './store.js'

export interface VerifiedAudit {
  /** How many links this call has checked, and how many rows they cover. */
  readonly links: number
  readonly rows: number
  /** The first link of a writer that does not match its rows: one of them was changed, removed, added or renumbered. */
  readonly broken: readonly { readonly writer: string; readonly link: number }[]
  /** Continues after the last checked link. Absent at the end. */
  readonly cursor?: string
}

/** Maximum number of links that one call checks. A link covers at most 500 rows. */
const MAX_LINKS = 10

/** The next link to check, and the position of its writer in the index of writers. */
const Cursor = z.strictObject({
  list: z.enum(['unlinked', 'linked']),
  lastSeen: z.int().min(0),
  writer: z.string().max(64),
  link: z.int().min(0),
})
type Cursor = z.infer<typeof Cursor>

/** Administrators of any organisation may verify: a chain covers rows of all organisations, but the result shows none of them. */
export async function verifyAudit(store: AuditStore, caller: Caller, from: string | undefined): Promise<VerifiedAudit> {
  if (!isAdminOf(caller, caller.orgId)) refuse('forbidden', 'only administrators may verify the audit')
  const broken: { writer: string; link: number }[] = []
  let [links, rows] = [0, 0]
  let cursor = from === undefined ? await firstWriter(store, 'unlinked') : parseCursor(from)
  for (let step = 0; cursor !== undefined && step < MAX_LINKS; step++) {
    const { writer, link }: Cursor = cursor
    const checked = await checkLink(store, writer, link)
    const matches = checked?.matches ?? !(await hasUncoveredRows(store, cursor))
    if (checked !== undefined) [links, rows] = [links + 1, rows + checked.rows]
    if (!matches) broken.push({ writer, link })
    cursor = checked?.matches ? { ...cursor, link: link + 1 } : await firstWriter(store, cursor.list, cursor)
  }
  return { links, rows, broken, ...(cursor && { cursor: formatCursor(cursor) }) }
}

/** True if a fully linked writer has a row after its last link. Such a row was added later, not by the writer. */
async function hasUncoveredRows(store: AuditStore, { list, writer }: Cursor): Promise<boolean> {
  return list === 'linked' && ((await lastRow(store, writer))?.number ?? -1) > ((await lastLink(store, writer))?.to ?? -1)
}

async function firstWriter(store: AuditStore, list: Cursor['list'], previous?: Cursor): Promise<Cursor | undefined> {
  const where = { hasUnlinkedRows: list === 'unlinked' ? true : null }
  const after = previous && ([previous.lastSeen, previous.writer] as const)
  const { items } = await store.writers.find('unlinked', { where, limit: 1, ...(after && { after }) })
  const [found] = items
  if (found !== undefined) return { list, lastSeen: found.lastSeen, writer: found.id, link: 0 }
  return list === 'unlinked' ? firstWriter(store, 'linked') : undefined
}

const formatCursor = ({ list, lastSeen, writer, link }: Cursor): string => `${list}.${lastSeen}.${link}.${writer}`
function parseCursor(text: string): Cursor {
  const [list, lastSeen, link, ...writer] = text.split('.')
  const parsed = Cursor.safeParse({ list, lastSeen: Number(lastSeen), link: Number(link), writer: writer.join('.') })
  return parsed.success ? parsed.data : refuse('bad_cursor', 'cursor: not a cursor of audit.verify')
}
