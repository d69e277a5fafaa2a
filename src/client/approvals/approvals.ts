import type { AccessRequest } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'
import { type OptionNames, requireOptions } from '../../protocol/options.js'
import type { Delegation } from '../../protocol/rights.js'
import type { Calls } from '../call.js'
import { newInboxSignal } from '../introductions/inbox-signal.js'
import { PAGE_OPTIONS, type PageOptions } from '../tasks.js'
import type { Approval } from './approval.js'

interface ApprovalListOptions extends PageOptions {
  /** `to` (the default): requests to this agent or organisation. `from`: requests that it made. */
  readonly role?: 'from' | 'to'
  /** `pending` (the default): requests without a decision. `all`: decided ones too. */
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
  /** Cancels a request of this agent or organisation, or its unused approval. */
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
