import type { Caller } from '../http/caller.js'
import type { AuditDraft } from './audit.js'

/** The draft of the audit row for an action of a caller. The administrators of `orgId` may read the row; default: the caller's organisation. */
export const auditDraft = (
  caller: Caller,
  action: string,
  details: Partial<Pick<AuditDraft, 'orgId' | 'otherOrgId' | 'subject' | 'taskId' | 'facts'>>,
): AuditDraft => ({ orgId: caller.orgId, actor: caller.id, action, outcome: 'done', tokenId: caller.tokenId, ...details })
