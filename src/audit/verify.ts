// Verifies the hash chains of all writers, at most MAX_LINKS links per call: first the writers with unlinked rows, then the others. Then verifies the
// anchors, at most MAX_ANCHORS per call: they show chains that were linked again, cut at their end, or removed.
import { z } from 'zod'
import { refuse } from '../errors.js'
import { type Caller, isAdminOf } from '../http/caller.js'
import { checkAnchor } from './anchors.js'
import { checkLink, lastLink, lastRow } from './chain.js'
import type { AuditedLog } from './retention.js'
import type { AuditStore } from './store.js'

export interface VerifiedAudit {
  /** How many links this call has checked, and how many rows they cover. */
  readonly links: number
  readonly rows: number
  /** How many further rows of these links retention has removed. Their digests still match. */
  readonly removed: number
  /** How many anchors this call has compared with the trust log. */
  readonly anchors: number
  /**
   * The first link of a writer that does not match its rows: one of them was changed, removed, added or renumbered. `isRemovedEarly`: rows are missing as
   * if retention had removed them, but no retention of their organisations has reached them.
   */
  readonly broken: readonly { readonly writer: string; readonly link: number; readonly isRemovedEarly?: true }[]
  /** Numbers of anchors that do not match the trust log or the chains: the rows before them were changed, removed or linked again. */
  readonly brokenAnchors: readonly number[]
  /** Continues after the last checked link. Absent at the end. */
  readonly cursor?: string
}

/** Maximum number of links that one call checks. A link covers at most 500 rows. */
const MAX_LINKS = 10
const MAX_ANCHORS = 100

/** The next link to check, and the position of its writer in the index of writers. In the list `anchors`, `link` is the next anchor. */
const Cursor = z.strictObject({
  list: z.enum(['unlinked', 'linked', 'anchors']),
  lastSeen: z.int().min(0),
  writer: z.string().max(64),
  link: z.int().min(0),
})
type Cursor = z.infer<typeof Cursor>

/** Administrators of any organisation may verify: a chain covers rows of all organisations, but the result shows none of them. */
export async function verifyAudit(store: AuditStore, log: AuditedLog, caller: Caller, from: string | undefined): Promise<VerifiedAudit> {
  if (!isAdminOf(caller, caller.orgId)) refuse('forbidden', 'only administrators may verify the audit')
  return verifyPart(store, log, from)
}

/** Verifies the next part, after the cursor of the part before. */
export async function verifyPart(store: AuditStore, log: AuditedLog, from: string | undefined): Promise<VerifiedAudit> {
  const broken: { writer: string; link: number; isRemovedEarly?: true }[] = []
  let [links, rows, removed] = [0, 0, 0]
  let cursor: Cursor = from === undefined ? await firstWriter(store, 'unlinked') : parseCursor(from)
  for (let step = 0; cursor.list !== 'anchors' && step < MAX_LINKS; step++) {
    const { writer, link }: Cursor = cursor
    const checked = await checkLink(store, log, cursor)
    const outcome = checked?.outcome ?? ((await hasUncoveredRows(store, cursor)) ? 'changed' : 'intact')
    if (checked !== undefined) [links, rows, removed] = [links + 1, rows + checked.rows, removed + checked.removed]
    if (outcome !== 'intact') broken.push({ writer, link, ...(outcome === 'removed' && { isRemovedEarly: true }) })
    cursor = checked?.outcome === 'intact' ? { ...cursor, link: link + 1 } : await firstWriter(store, cursor.list, cursor)
  }
  if (cursor.list !== 'anchors') return { links, rows, removed, anchors: 0, broken, brokenAnchors: [], cursor: formatCursor(cursor) }
  const checked = await verifyAnchors(store, log, cursor)
  return { links, rows, removed, broken, ...checked }
}

async function verifyAnchors(
  store: AuditStore,
  log: AuditedLog,
  cursor: Cursor,
): Promise<Pick<VerifiedAudit, 'anchors' | 'brokenAnchors' | 'cursor'>> {
  const brokenAnchors: number[] = []
  for (let anchors = 0; anchors < MAX_ANCHORS; anchors++) {
    const number = cursor.link + anchors
    const outcome = await checkAnchor(store, log, number)
    if (outcome === undefined) return { anchors, brokenAnchors }
    if (outcome === 'broken') brokenAnchors.push(number)
  }
  return { anchors: MAX_ANCHORS, brokenAnchors, cursor: formatCursor({ ...cursor, link: cursor.link + MAX_ANCHORS }) }
}

/** True if a fully linked writer has a row after its last link. Such a row was added later, not by the writer. */
async function hasUncoveredRows(store: AuditStore, { list, writer }: Cursor): Promise<boolean> {
  return list === 'linked' && ((await lastRow(store, writer))?.number ?? -1) > ((await lastLink(store, writer))?.to ?? -1)
}

async function firstWriter(store: AuditStore, list: Cursor['list'], previous?: Cursor): Promise<Cursor> {
  const where = { hasUnlinkedRows: list === 'unlinked' ? true : null }
  const after = previous && ([previous.lastSeen, previous.writer] as const)
  const { items } = await store.writers.find('unlinked', { where, limit: 1, ...(after && { after }) })
  const [found] = items
  if (found !== undefined) return { list, lastSeen: found.lastSeen, writer: found.id, link: 0 }
  return list === 'unlinked' ? firstWriter(store, 'linked') : { list: 'anchors', lastSeen: 0, writer: '', link: 0 }
}

const formatCursor = ({ list, lastSeen, writer, link }: Cursor): string => `${list}.${lastSeen}.${link}.${writer}`
function parseCursor(text: string): Cursor {
  const [list, lastSeen, link, ...writer] = text.split('.')
  const parsed = Cursor.safeParse({ list, lastSeen: Number(lastSeen), link: Number(link), writer: writer.join('.') })
  return parsed.success ? parsed.data : refuse('bad_cursor', 'cursor: not a cursor of audit.verify')
}
