import type { Clock } from '../lib/clock.js'
import type { AgentId, IntroductionId } from '../protocol/ids.js'
import type { Delegation, Scope } from '../protocol/rights.js'
import type { Calls } from './call.js'
import { CredenceError } from './errors.js'

/** What an agent was told: numbered, read by position. */
export interface InboxItem {
  readonly seq: number
  readonly at: number
  readonly kind: 'requested' | 'granted' | 'denied' | 'ended'
  readonly introductionId: IntroductionId
  readonly from: AgentId
  readonly to: AgentId
  readonly purpose: string
  readonly scopes: readonly Scope[]
}

export interface Introduction {
  readonly introductionId: IntroductionId
  readonly state: 'pending' | 'granted' | 'denied' | 'ended' | 'expired'
  readonly from: AgentId
  readonly to: AgentId
  readonly purpose: string
  readonly expiresAt: number
}

export interface IntroduceOptions {
  readonly to: string
  readonly purpose: string
  readonly scopes: readonly string[]
  readonly tools?: readonly string[]
  readonly resources?: readonly string[]
  readonly delegation?: { readonly depth: number; readonly rights: readonly { readonly audience: string; readonly scope: string }[] }
  readonly taskId?: string
  readonly seconds?: number
  readonly skills?: readonly string[]
}

export interface Narrowing {
  readonly scopes?: readonly string[]
  readonly tools?: readonly string[]
  readonly resources?: readonly string[]
  readonly delegation?: Delegation | null
  readonly seconds?: number
}

export interface Introductions {
  /** Asks; answers at once, `pending` where the other side decides. */
  request(options: IntroduceOptions): Promise<Introduction>
  /** Asks and waits for the answer; what was not answered within `waitSeconds` stays pending. */
  introduce(options: IntroduceOptions & { readonly waitSeconds?: number }): Promise<Introduction>
  get(introductionId: string): Promise<Introduction>
  approve(introductionId: string, narrowing?: Narrowing): Promise<Introduction>
  deny(introductionId: string, note?: string): Promise<Introduction>
  end(introductionId: string): Promise<unknown>
  inbox(after?: number): Promise<{ readonly items: readonly InboxItem[]; readonly last: number }>
  /**
   * Calls `handler` for every item after `after`, in order. One that fails is told to `onError`. It comes again where the registry could not be
   * asked; what is refused (answered already, withdrawn, expired) is passed over, and what fails otherwise after ten tries: nobody holds up others.
   */
  watch(handler: (item: InboxItem) => void | Promise<void>, after?: number): { readonly last: number; close(): void }
}

const POLL_MS = 500
const MAX_TRIES = 10
const DEFAULT_WAIT_SECONDS = 60

export function newIntroductions(clock: Clock, { query, mutate }: Calls, log: (error: unknown) => void): Introductions {
  const request = (options: IntroduceOptions) => mutate<Introduction>('introductions.request', options)
  const get = (introductionId: string) => query<Introduction>('introductions.get', { introductionId })
  const inbox = (after = 0) => query<{ items: InboxItem[]; last: number }>('introductions.inbox', { after })
  return {
    request,
    get,
    introduce: async ({ waitSeconds = DEFAULT_WAIT_SECONDS, ...options }) => {
      let introduction = await request(options)
      for (const until = clock.now() + waitSeconds; introduction.state === 'pending' && clock.now() < until; ) {
        await clock.after(POLL_MS)
        introduction = await get(introduction.introductionId)
      }
      return introduction
    },
    approve: (introductionId, narrowing = {}) => mutate('introductions.approve', { introductionId, ...narrowing }),
    deny: (introductionId, note) => mutate('introductions.deny', { introductionId, ...(note !== undefined && { note }) }),
    end: (introductionId) => mutate('introductions.revoke', { introductionId }),
    inbox,
    watch: (handler, after = 0) => {
      const over = new AbortController()
      let last = after
      let tries = 0
      const handle = async (item: InboxItem): Promise<void> => {
        tries++
        try {
          await handler(item)
        } catch (error) {
          const mayPass = error instanceof CredenceError ? error.status === 0 || error.status >= 500 : tries < MAX_TRIES
          if (mayPass) throw error
          log(error)
        }
        tries = 0
      }
      const run = async () => {
        while (!over.signal.aborted) {
          try {
            const { items } = await inbox(last)
            for (const item of items) {
              await handle(item)
              last = item.seq
            }
          } catch (error) {
            log(error)
          }
          await clock.after(POLL_MS, over.signal)
        }
      }
      void run()
      return {
        get last() {
          return last
        },
        close: () => over.abort(),
      }
    },
  }
}
