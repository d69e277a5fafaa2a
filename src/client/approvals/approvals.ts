import { type AccessRequest, CredenceError } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'
import { type OptionNames, requireOptions } from '../../protocol/options.js'
import type { Bounds, Delegation } from '../../protocol/rights.js'
import type { Calls } from '../call.js'
import { newInboxSignal } from '../introductions/inbox-signal.js'
import { PAGE_OPTIONS, type PageOptions } from '../tasks.js'

/** A decision that waits or was made: about one token (`apr_…`), or about a requested introduction (`int_…`). Times are in epoch seconds. */
export interface Approval {
  readonly approvalId: string
  /** `capability`: an introduction that was requested by a capability. */
  readonly kind: 'token' | 'introduction' | 'capability'
  readonly state: 'pending' | 'approved' | 'needsApproval' | 'denied' | 'expired' | 'cancelled' | 'used'
  /**
   * Why somebody must decide. Of a token: its resource demands it for a scope (`scope`), or the token may be passed on (`delegation`). Of an introduction:
   * as `pendingBecause` there.
   */
  readonly because: readonly string[]
  /** The agent that asks. */
  readonly from: string
  /** Absent while a request for a capability is pending. */
  readonly to?: string
  readonly audience?: string
  /** For whom the requester acts, and by which agents. */
  readonly subject?: string
  readonly actors?: readonly string[]
  readonly capability?: string
  readonly purpose: string
  readonly requested: Bounds
  /** What was approved; a token request must ask for exactly this. */
  readonly approved?: Bounds
  /** The resource's own prose about the scopes. */
  readonly words?: readonly { readonly scope: string; readonly words: string }[]
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

interface ApprovalListOptions extends PageOptions {
  /** `to` (the default): what this agent or organisation is asked. `from`: what it has asked for. */
  readonly role?: 'from' | 'to'
  /** `pending` (the default): what waits for a decision. `all`: also what was decided. */
  readonly state?: 'pending' | 'all'
}
const LIST_OPTIONS: OptionNames<ApprovalListOptions> = { ...PAGE_OPTIONS, role: true, state: true }

/** An absent field leaves that part as requested. */
interface Narrowing {
  readonly scopes?: readonly string[]
  readonly tools?: readonly string[]
  readonly resources?: readonly string[]
  readonly delegation?: Delegation | null
}
const NARROWING: OptionNames<Narrowing> = { scopes: true, tools: true, resources: true, delegation: true }

interface ObtainOptions {
  /** Reason, shown to the approver. */
  readonly purpose: string
  /** Default: 300. */
  readonly waitSeconds?: number
}
const OBTAIN_OPTIONS: OptionNames<ObtainOptions> = { purpose: true, waitSeconds: true }

export interface Approvals {
  /** Asks for the approval of a token request that was refused with `approval_required`: the error has the access request. */
  request(accessRequest: AccessRequest, purpose: string): Promise<Approval>
  /** Asks for the approval and waits for the decision; after `waitSeconds` the approval is still pending. For `onApprovalRequired` of `exchange` and `fetchAs`. */
  obtain(accessRequest: AccessRequest, options: ObtainOptions): Promise<Approval>
  get(approvalId: string): Promise<Approval>
  /** Newest first; those of this agent, or of the organisation of this member. */
  list(options?: ApprovalListOptions): Promise<{ readonly items: readonly Approval[]; readonly cursor?: string }>
  /** Approves as requested or narrower. An approval of a token is good for one token, within an hour. */
  approve(approvalId: string, narrow?: Narrowing): Promise<Approval>
  deny(approvalId: string, note?: string): Promise<Approval>
  /** Cancels what this agent or organisation has asked for. */
  cancel(approvalId: string): Promise<Approval>
  /** Takes back an approval that was not used. */
  withdraw(approvalId: string, note?: string): Promise<Approval>
  /** Calls `handler` with the newest 100 that wait for a decision, at once and after every change. */
  watch(handler: (pending: readonly Approval[]) => void | Promise<void>): { close(): void }
}

const DEFAULT_WAIT_SECONDS = 300
const RETRY_MS = 500

interface ApprovalsDeps {
  readonly clock: Clock
  readonly issuer: string
  readonly onError: (error: unknown) => void
}

export function newApprovals({ clock, issuer, onError }: ApprovalsDeps, { query, mutate }: Calls): Approvals {
  const newSignal = () =>
    newInboxSignal(
      {
        clock,
        url: `${issuer.replace(/^http/, 'ws')}/trpc`,
        path: 'approvals.watch',
        ticket: async () => (await mutate<{ ticket: string }>('system.ticket')).ticket,
      },
      () => 'newest',
    )
  const request = ({ bindingToken }: AccessRequest, purpose: string) => mutate<Approval>('approvals.request', { bindingToken, purpose })
  const get = (approvalId: string) => query<Approval>('approvals.get', { approvalId })
  const list = async (options: ApprovalListOptions = {}) => {
    requireOptions('approvals.list', options, LIST_OPTIONS)
    return query<{ items: readonly Approval[]; cursor?: string }>('approvals.list', options)
  }
  const withNote = (note: string | undefined) => (note === undefined ? {} : { note })
  return {
    request,
    get,
    list,
    obtain: async (accessRequest, options) => {
      requireOptions('approvals.obtain', options, OBTAIN_OPTIONS)
      let approval = await request(accessRequest, options.purpose)
      const deadline = clock.now() + (options.waitSeconds ?? DEFAULT_WAIT_SECONDS)
      const signal = newSignal()
      try {
        while (approval.state === 'pending' && clock.now() < deadline) {
          await signal.next((deadline - clock.now()) * 1000)
          approval = await get(approval.approvalId)
        }
      } finally {
        signal.close()
      }
      return approval
    },
    approve: async (approvalId, narrow = {}) => {
      requireOptions('approvals.approve', narrow, NARROWING)
      return mutate('approvals.approve', { approvalId, narrow })
    },
    deny: (approvalId, note) => mutate('approvals.deny', { approvalId, ...withNote(note) }),
    cancel: (approvalId) => mutate('approvals.cancel', { approvalId }),
    withdraw: (approvalId, note) => mutate('approvals.withdraw', { approvalId, ...withNote(note) }),
    watch: (handler) => {
      const closed = new AbortController()
      const signal = newSignal()
      const run = async () => {
        while (!closed.signal.aborted) {
          try {
            const { items } = await list({ limit: 100 })
            if (!closed.signal.aborted) await handler(items)
            await signal.next()
          } catch (error) {
            onError(error)
            await clock.after(RETRY_MS, closed.signal)
          }
        }
      }
      void run()
      return {
        close: () => {
          closed.abort()
          signal.close()
        },
      }
    },
  }
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
