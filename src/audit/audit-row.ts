import type { Caller } from '../http/caller.js'
import type { AuditDraft } from './audit.js'

/** The row of what a caller has done. `orgId`: whose administrators read it; its own organisation's where none is named. */
export const auditRow = (
  caller: Caller,
  action: string,
  what: Partial<Pick<AuditDraft, 'orgId' | 'otherOrgId' | 'subject' | 'taskId' | 'facts'>>,
): AuditDraft => ({ orgId: caller.orgId, actor: caller.id, action, outcome: 'done', tokenId: caller.tokenId, ...what })
