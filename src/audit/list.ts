import { refuse } from '../errors.js'
import { cursorOf, type PageInput, pageOf } from '../http/paging.js'
import { type AuditFilter, type AuditReader, scanRows } from './filter.js'
import type { AuditRow, AuditStore } from './store.js'
import { visibleActor } from './visible-actor.js'

/** Lists the audit rows of an organisation that match the filter, newest first. */
export async function listAudit(
  store: Pick<AuditStore, 'rows'>,
  actions: ReadonlySet<string>,
  { orgId, reader, limit, cursor, ...filter }: PageInput & AuditFilter & AuditReader,
) {
  requireAction(actions, filter)
  const { after } = cursorOf({ limit, cursor })
  return pageOf(await scanRows(store, { orgId, reader, filter, order: 'down', limit, after }), (row) => viewOf(row, reader))
}

export function requireAction(actions: ReadonlySet<string>, { action }: AuditFilter): void {
  if (action !== undefined && !actions.has(action))
    refuse('bad_input', 'no such action (expected the path of a procedure, such as cards.publish, or an OAuth call, such as oauth.token)', {
      faults: [{ pointer: '/action', hint: 'no such action' }],
    })
}

/** A row as its readers see it. */
export const viewOf = ({ id, writer, number, orgIds, endsDigest, ...row }: AuditRow, reader: AuditReader['reader']) => ({
  auditId: id,
  ...row,
  actor: visibleActor({ ...row, orgIds }, reader),
})
