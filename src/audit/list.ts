import { refuse } from '../errors.js'
import { cursorOf, type PageInput, pageOf } from '../http/paging.js'
import type { OrgId } from '../protocol/ids.js'
import { type AuditFilter, scanRows } from './filter.js'
import type { AuditRow, AuditStore } from './store.js'

/** Lists the audit rows of an organisation that match the filter, newest first. */
export async function listAudit(
  store: Pick<AuditStore, 'rows'>,
  actions: ReadonlySet<string>,
  { orgId, limit, cursor, ...filter }: PageInput & AuditFilter & { readonly orgId: OrgId },
) {
  requireAction(actions, filter)
  const { after } = cursorOf({ limit, cursor })
  return pageOf(await scanRows(store, { orgId, filter, order: 'down', limit, after }), viewOf)
}

export function requireAction(actions: ReadonlySet<string>, { action }: AuditFilter): void {
  if (action !== undefined && !actions.has(action))
    refuse('bad_input', 'no such action (expected the path of a procedure, such as cards.publish, or an OAuth call, such as oauth.token)', {
      faults: [{ pointer: '/action', hint: 'no such action' }],
    })
}

/** A row as its readers see it. */
export const viewOf = ({ id, writer, number, orgIds, endsDigest, ...row }: AuditRow) => ({ auditId: id, ...row })
