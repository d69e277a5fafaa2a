import type { Caller } from '../http/caller.js'
import type { AuditDraft } from './audit.js'

/** The draft of the audit row for an action of a caller, or of the registry in the place of an agent. The administrators of `orgId` may read the row; default: the caller's organisation. */
export const auditDraft = (
  actor: Pick<Caller, 'id' | 'orgId'> & Partial<Pick<Caller, 'tokenId'>>,
  action: string,
  details: Partial<Pick<AuditDraft, 'orgId' | 'otherOrgId' | 'subject' | 'taskId' | 'facts'>>,
): AuditDraft => ({
  orgId: actor.orgId,
  actor: actor.id,
  action,
  outcome: 'done',
  ...(actor.tokenId && { tokenId: actor.tokenId }),
  ...details,
})
