import { refuse } from '../errors.js'
import { cursorOf, type PageInput, pageOf } from '../http/paging.js'
import type { OrgId } from '../protocol/ids.js'
import type { Cursor, Page } from '../storage/storage.js'
import type { AuditRow, AuditStore } from './store.js'

interface ListAuditInput extends PageInput {
  readonly orgId: OrgId
  readonly action?: string | undefined
}

/** Maximum number of rows that one call reads in search of an action. If older rows remain, the response has a cursor. */
const MAX_READ = 10_000
const PAGE = 500

/** Lists the audit rows of an organisation, newest first: at most `limit`, only those with `action` if it is given. */
export async function listAudit(
  { rows }: Pick<AuditStore, 'rows'>,
  actions: ReadonlySet<string>,
  { orgId, action, ...paging }: ListAuditInput,
) {
  const { limit, after } = cursorOf(paging)
  const read = (size: number, from?: Cursor): Promise<Page<AuditRow>> =>
    rows.find('organisation', { where: { orgIds: orgId }, order: 'down', limit: size, ...(from && { after: from }) })
  if (action !== undefined && !actions.has(action))
    refuse('bad_input', 'no such action (expected the path of a procedure, such as cards.publish, or an OAuth call, such as oauth.token)', {
      faults: [{ pointer: '/action', hint: 'no such action' }],
    })
  const page = action === undefined ? await read(limit, after) : await findAction(read, action, limit, after)
  return pageOf(page, ({ id, writer, number, orgIds, endsDigest, ...row }) => ({ auditId: id, ...row }))
}

async function findAction(
  read: (size: number, from?: Cursor) => Promise<Page<AuditRow>>,
  action: string,
  limit: number,
  after?: Cursor,
): Promise<Page<AuditRow>> {
  const items: AuditRow[] = []
  let next = after
  for (let count = 0; count < MAX_READ; count += PAGE) {
    const page: Page<AuditRow> = await read(PAGE, next)
    for (const row of page.items) {
      if (row.action === action) items.push(row)
      if (items.length === limit) return { items, next: [row.createdAt, row.id] }
    }
    next = page.next
    if (next === undefined) return { items }
  }
  return { items, ...(next && { next }) }
}
