import type { Caller } from '../http/caller.js'
import type { AuditDraft } from './audit.js'

/** An audit row for an action of a caller. The administrators of `orgId` may read it; by default that is the caller's organisation. */
export const auditRow = (
  caller: Caller,
  action: string,
  details: Partial<Pick<AuditDraft, 'orgId' | 'otherOrgId' | 'subject' | 'taskId' | 'facts'>>,
): AuditDraft => ({ orgId: caller.orgId, actor: caller.id, action, outcome: 'done', tokenId: caller.tokenId, ...details })
