import type { Reason } from '../errors.js'
import type { ClientId, OrgId, TaskId, TokenId } from '../protocol/ids.js'
import type { Operation } from '../storage/storage.js'

/** One decision on an authenticated request. Never in it: tokens, proofs, assertions, keys, undisclosed claims. */
export interface AuditDraft {
  /** Whose administrators may read it: the organisation of who asked. */
  readonly orgId: OrgId
  readonly actor: ClientId
  /** The tRPC path (`cards.publish`) or endpoint (`oauth.token`). */
  readonly action: string
  readonly outcome: 'done' | 'refused'
  readonly reason?: Reason
  /** Public id of what it was about. */
  readonly subject?: string
  /** Another organisation that it concerns, whose administrators may read it too. */
  readonly otherOrgId?: OrgId
  readonly tokenId?: TokenId
  readonly taskId?: TaskId
  /** Short public facts: why, with which bounds. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>
}

export interface Audit {
  /** An operation for the commit of what it records: no row, no deed. */
  recording(draft: AuditDraft): Operation
  /** A row of its own, for what writes nothing else (a refusal). */
  record(draft: AuditDraft): Promise<void>
}
