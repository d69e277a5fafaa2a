import type { Reason } from '../errors.js'
import type { Caller } from '../http/caller.js'
import type { RevocationReason } from '../protocol/end-reason.js'
import type { Handle } from '../protocol/handles.js'
import type { ActorId, OrgId, TaskId, TokenId } from '../protocol/ids.js'
import type { Operation } from '../storage/storage.js'
import type { FindHistory } from './history.js'

/**
 * A decision on an authenticated request, as a feature hands it in. Must never contain tokens, proofs, assertions, keys or undisclosed claims.
 */
export interface AuditDraft {
  /** The caller's organisation, whose administrators may read the row. */
  readonly orgId: OrgId
  readonly actor: ActorId
  /** The tRPC path (`cards.publish`) or endpoint (`oauth.token`). */
  readonly action: string
  readonly outcome: 'done' | 'refused'
  readonly reason?: Reason
  /** Public id of the object of the action. */
  readonly subject?: string
  /** Another organisation that the action concerns, whose administrators may read the row too. */
  readonly otherOrgId?: OrgId
  readonly tokenId?: TokenId
  readonly taskId?: TaskId
  /** Short public facts, such as the granted bounds or the reason. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>
}

/** The handles that an action ends, and why. */
interface EndedHandles extends RevocationReason {
  readonly ends: readonly { readonly handle: Handle }[]
}

export interface Audit {
  /** An operation that inserts the row. Put it into the commit of the action, so that neither exists without the other. */
  recording(draft: AuditDraft): Operation
  /** The same for an action that ends handles: also records which, so that `history` finds the row. Without handles it records only the note. */
  recordingEnd(draft: AuditDraft, ended: EndedHandles): readonly Operation[]
  /** Inserts a row in a commit of its own, for a decision that writes nothing else (a refusal). */
  record(draft: AuditDraft): Promise<void>
  /** Returns a reader of how things ended, for one response to `viewer`. */
  history(viewer: Pick<Caller, 'id' | 'orgId' | 'role'>): FindHistory
}
