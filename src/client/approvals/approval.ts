import { CredenceError } from '../../errors.js'
import type { Bounds } from '../../protocol/rights.js'

/** A request for a decision, pending or decided: about one token or the consent of a person (`apr_…`), or about a requested introduction (`int_…`). Times are in epoch seconds. */
export interface Approval {
  readonly approvalId: string
  /** `capability`: an introduction that was requested by a capability. */
  readonly kind: 'token' | 'consent' | 'introduction' | 'capability'
  readonly state: 'pending' | 'approved' | 'needsApproval' | 'denied' | 'expired' | 'cancelled' | 'used'
  /**
   * Why an approval is needed. For a token: the resource requires it for a scope (`scope`), or the token allows delegation (`delegation`). For an
   * introduction: its `pendingBecause`. For a consent: the organisation has not admitted the client (`client`), or requires it for a scope (`adminScope`).
   */
  readonly because: readonly string[]
  /** The agent that asks; for a consent, the person. */
  readonly from: string
  /** Absent while a request for a capability is pending. */
  readonly to?: string
  readonly audience?: string
  /** For whom the requester acts, and by which agents. */
  readonly subject?: string
  readonly actors?: readonly string[]
  readonly capability?: string
  /** The client to which a person wants to consent, as it calls itself, and its rights at each audience. */
  readonly client?: string
  readonly clientName?: string
  readonly rights?: readonly { readonly audience: string; readonly bounds: Bounds }[]
  readonly purpose: string
  readonly requested: Bounds
  /** The approved bounds: a token request must ask for exactly these. */
  readonly approved?: Bounds
  /** The resource's own prose about the scopes; for a consent, that of each audience. */
  readonly words?: readonly { readonly audience?: string; readonly scope: string; readonly words: string }[]
  /** How unusual the token is for its agent. */
  readonly risk?: {
    readonly level: 'low' | 'medium' | 'high' | 'unknown'
    readonly score: number | null
    readonly parts: readonly { readonly code: string; readonly weight: number }[]
  }
  readonly taskId?: string
  /** A task that would be created with the token. */
  readonly newTask?: { readonly description: string; readonly reference?: string; readonly parentTaskId?: string }
  /** Thumbprint of the key that the token is bound to. */
  readonly jkt?: string
  readonly requestedAt: number
  /** Undecided or unused, it expires then. */
  readonly expiresAt: number
  /** `member`, or the id of the agent that decided. */
  readonly decidedBy?: string
  readonly note?: string
}

/** The bounds with which a refused request is repeated; throws if the approval was not given. */
export function requireApproved(approval: Approval, refusal: CredenceError): Bounds {
  const { approvalId, state, approved, note } = approval
  if (state === 'approved' && approved) return approved
  throw new CredenceError({
    reason: refusal.reason,
    text: `the approval ${approvalId} is ${state}${note === undefined ? '' : ` (${note})`}: the token is not issued`,
    status: refusal.status,
    requestId: refusal.requestId,
  })
}
