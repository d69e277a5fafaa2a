import { CredenceError } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'
import { REVOCATION_INPUT, type RevocationReason } from '../../protocol/end-reason.js'
import type { AgentId, IntroductionId, TargetId, TaskId } from '../../protocol/ids.js'
import { type OptionNames, requireOptions } from '../../protocol/options.js'
import type { Bounds, Scope } from '../../protocol/rights.js'
import type { Calls } from '../call.js'
import { type GrantNarrowing, requireNarrowing } from '../consents.js'
import { type Ended, PAGE_OPTIONS, type PageOptions } from '../tasks.js'
import { newInboxSignal } from './inbox-signal.js'

/**
 * A notification in the inbox of an agent: a request, a decision, or a revocation of an introduction. An introduction that ends with something
 * that it depends on (an agent, an organisation, a task) has no notification; the revocation feed reports it. `introductions.get` shows the
 * reason of an ending.
 */
export interface InboxItem {
  readonly position: number
  readonly createdAt: number
  readonly kind: 'requested' | 'granted' | 'denied' | 'ended' | 'needsApproval'
  readonly introductionId: IntroductionId
  /** Number of the change of the introduction. */
  readonly revision: number
  readonly from: AgentId
  readonly to: TargetId
  readonly purpose: string
  /** The capability for which the requester asked; only the asked agent sees it until it approves. */
  readonly capability?: string
  readonly scopes: readonly Scope[]
}

export interface Introduction extends Ended {
  readonly introductionId: IntroductionId
  /** `needsApproval`: it was granted, but the target's card lost something that it relies on. The target can approve it again. */
  readonly state: 'pending' | 'granted' | 'needsApproval' | 'denied' | 'ended' | 'expired'
  /**
   * The parts of the target's card that the introduction relied on and that the card no longer has. If that is only the key that signed the card, the state stays
   * `granted`, and exchanges are refused until the card is signed by another registered key.
   */
  readonly needsApproval?: readonly { readonly pointer: string; readonly hint: string }[]
  /**
   * Why a pending request must be approved: the target's policy asks for every request (`policy`), the request exceeds the scopes that the
   * policy grants without approval (`scopes`), it asks for delegation (`delegation`), or for a capability (`capability`).
   */
  readonly pendingBecause?: readonly ('policy' | 'scopes' | 'delegation' | 'capability')[]
  readonly from: AgentId
  /** Absent while a request for a capability is pending. */
  readonly to?: TargetId
  /** The capability that was requested in place of an agent. */
  readonly capability?: string
  readonly purpose: string
  readonly requested: Bounds
  /** The granted bounds; absent until then. */
  readonly bounds?: Bounds
  /** The interface of the card that the caller calls. */
  readonly interface?: { readonly protocolBinding: string; readonly url: string }
  /** Ids of the skills that the introduction depends on. */
  readonly skills: readonly string[]
  readonly taskId?: TaskId
  /** Times are in epoch seconds. */
  readonly requestedAt: number
  readonly requestedSeconds: number
  readonly grantedAt?: number
  /** If the request is pending: the time at which it expires undecided. */
  readonly expiresAt: number
  /** Tokens that were issued under a granted one, and when the last one was. The last minute and a half may be missing. */
  readonly uses?: number
  readonly lastUsedAt?: number
}

interface IntroductionListOptions extends PageOptions {
  /** `from`: the introductions that this agent requested. `to` (the default): those that other agents requested of it. */
  readonly role?: 'from' | 'to'
  /** For members: only those of this agent. */
  readonly agentId?: string
  readonly state?: 'pending' | 'granted' | 'all'
}

const LIST_OPTIONS: OptionNames<IntroductionListOptions> = { ...PAGE_OPTIONS, role: true, agentId: true, state: true }

/** Names either an agent (`to`) or a `capability`. */
export interface IntroduceOptions {
  /** For members only: the agent of their organisation that the introduction is for. Its ceiling and its quotas apply. */
  readonly from?: string
  readonly to?: string
  /**
   * Id of a skill or a tag, which need not be public. The agents that have it are asked, and the first that approves is the one that the introduction names;
   * until then nothing shows whether any agent has it.
   */
  readonly capability?: string
  readonly purpose: string
  /** Required with `to`. With `capability`, the default is what this agent's ceiling allows of the scopes of the card. */
  readonly scopes?: readonly string[]
  readonly tools?: readonly string[]
  readonly resources?: readonly string[]
  readonly delegation?: { readonly depth: number; readonly rights: readonly { readonly audience: string; readonly scope: string }[] }
  readonly taskId?: string
  readonly seconds?: number
  /** The interface of the card that the agent will call. Default: the first that a client can call. */
  readonly interface?: { readonly protocolBinding: string; readonly url: string }
  /** Ids of the skills that the introduction depends on: it needs another approval if one is gone. Default: none. */
  readonly skills?: readonly string[]
}

interface IntroduceAndWaitOptions extends IntroduceOptions {
  readonly waitSeconds?: number
}

const REQUEST_OPTIONS: OptionNames<IntroduceOptions> = {
  from: true,
  to: true,
  capability: true,
  purpose: true,
  scopes: true,
  tools: true,
  resources: true,
  delegation: true,
  taskId: true,
  seconds: true,
  interface: true,
  skills: true,
}
const INTRODUCE_OPTIONS: OptionNames<IntroduceAndWaitOptions> = { ...REQUEST_OPTIONS, waitSeconds: true }

/** How an approval narrows the requested bounds. An absent field leaves that bound as requested. */
interface Narrowing extends Omit<GrantNarrowing, 'until'> {
  readonly seconds?: number
}

const NARROWING: OptionNames<Narrowing> = { scopes: true, tools: true, resources: true, delegation: true, seconds: true }

export interface Introductions {
  /** Requests an introduction. It is `pending` if the target or its organisation must decide; `pendingBecause` says why. */
  request(options: IntroduceOptions): Promise<Introduction>
  /**
   * Requests an introduction and waits for the decision. After `waitSeconds` (default: 60) it returns the pending introduction, whose
   * `pendingBecause` says why it must be approved. With `waitSeconds: 0` it does not wait.
   */
  introduce(options: IntroduceAndWaitOptions): Promise<Introduction>
  get(introductionId: string): Promise<Introduction>
  /** The introductions of this agent, or of all agents of the organisation of this member, newest first. */
  list(options?: IntroductionListOptions): Promise<{ readonly items: readonly Introduction[]; readonly cursor?: string }>
  /** Grants a pending request, or approves an introduction again that needs it. */
  approve(introductionId: string, narrowing?: Narrowing): Promise<Introduction>
  deny(introductionId: string, note?: string): Promise<Introduction>
  /** For the target: removes rights or time from a granted introduction. Tokens that were issued under it end; the requester may get narrower ones. */
  narrow(introductionId: string, to: GrantNarrowing): Promise<Introduction>
  revoke(introductionId: string, because?: Partial<RevocationReason>): Promise<unknown>
  inbox(after?: number): Promise<{ readonly items: readonly InboxItem[]; readonly lastPosition: number }>
  /**
   * Calls `handler` for each item after position `after`, in order. A failure is reported to `onError`. If the registry could not be
   * reached, the handler is called again with the same item. If the registry refused (already decided, withdrawn, expired), the item is
   * skipped; after any other failure it is skipped at the tenth attempt, so a failing handler cannot block later items.
   */
  watch(handler: (item: InboxItem) => void | Promise<void>, after?: number): { readonly lastPosition: number; close(): void }
}

/** An item whose handler failed is handled again after this time, and an inbox that could not be read is read again. */
const RETRY_MS = 500
const MAX_ATTEMPTS = 10
const DEFAULT_WAIT_SECONDS = 60

interface IntroductionsDeps {
  readonly clock: Clock
  readonly issuer: string
  readonly onError: (error: unknown) => void
}

export function newIntroductions({ clock, issuer, onError }: IntroductionsDeps, { query, mutate }: Calls): Introductions {
  const signalDeps = {
    clock,
    url: `${issuer.replace(/^http/, 'ws')}/trpc`,
    path: 'introductions.watch' as const,
    ticket: async () => (await mutate<{ ticket: string }>('system.ticket')).ticket,
  }
  const request = async (options: IntroduceOptions) => {
    requireOptions('introductions.request', options, REQUEST_OPTIONS)
    return mutate<Introduction>('introductions.request', options)
  }
  const get = (introductionId: string) => query<Introduction>('introductions.get', { introductionId })
  const inbox = (after = 0) => query<{ items: InboxItem[]; lastPosition: number }>('introductions.inbox', { after })
  return {
    request,
    get,
    list: async (options = {}) => {
      requireOptions('introductions.list', options, LIST_OPTIONS)
      return query('introductions.list', options)
    },
    introduce: async (options) => {
      requireOptions('introduce', options, INTRODUCE_OPTIONS)
      const { waitSeconds = DEFAULT_WAIT_SECONDS, ...requested } = options
      let introduction = await request(requested)
      const deadline = clock.now() + waitSeconds
      if (introduction.state !== 'pending' || deadline <= clock.now()) return introduction
      const signal = newInboxSignal(signalDeps, () => 'newest')
      try {
        while (introduction.state === 'pending' && clock.now() < deadline) {
          await signal.next((deadline - clock.now()) * 1000)
          introduction = await get(introduction.introductionId)
        }
      } finally {
        signal.close()
      }
      return introduction
    },
    approve: async (introductionId, narrowing = {}) => {
      requireOptions('introductions.approve', narrowing, NARROWING)
      return mutate('introductions.approve', { introductionId, ...narrowing })
    },
    deny: (introductionId, note) => mutate('introductions.deny', { introductionId, ...(note !== undefined && { note }) }),
    narrow: async (introductionId, to) => {
      requireNarrowing('introductions.narrow', to)
      return mutate('introductions.narrow', { introductionId, ...to })
    },
    revoke: async (introductionId, because = {}) => {
      requireOptions('introductions.revoke', because, REVOCATION_INPUT)
      return mutate('introductions.revoke', { introductionId, ...because })
    },
    inbox,
    watch: (handler, after = 0) => {
      const closed = new AbortController()
      let lastPosition = after
      const signal = newInboxSignal(signalDeps, () => lastPosition)
      let attempts = 0
      const handle = async (item: InboxItem): Promise<void> => {
        attempts++
        try {
          await handler(item)
        } catch (error) {
          const mayRetry = error instanceof CredenceError ? error.status === 0 || error.status >= 500 : attempts < MAX_ATTEMPTS
          if (mayRetry) throw error
          onError(error)
        }
        attempts = 0
      }
      const run = async () => {
        while (!closed.signal.aborted) {
          try {
            const { items } = await inbox(lastPosition)
            for (const item of items) {
              await handle(item)
              lastPosition = item.position
            }
            if (items.length === 0) await signal.next()
          } catch (error) {
            onError(error)
            await clock.after(RETRY_MS, closed.signal)
          }
        }
      }
      void run()
      return {
        get lastPosition() {
          return lastPosition
        },
        close: () => {
          closed.abort()
          signal.close()
        },
      }
    },
  }
}
