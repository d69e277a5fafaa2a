// Watches the tokens of requests whose responses stay open.
//
// Algorithm. `verify` records when the standing of a token was confirmed, in monotonic time. One loop runs while a response is watched. At
// each tick, a token whose confirmation is older than half of the maximum staleness is checked again; the check of all tokens shares one
// challenge to the registry. A response ends when its token has expired, when something that the token depends on has been revoked, or when
// the next tick would come after the confirmation is too old. So it also ends in time if the registry cannot be reached.
//
// Cost: ten ticks per maximum staleness (at most one per 100 ms), each with one look-up for each handle of each watched token.
import type { Clock } from '../lib/clock.js'
import type { Handle } from '../protocol/handles.js'
import type { StandingSource } from './standing.js'

/** The token of a verified request, with the time of its newest confirmation. */
export interface WatchedToken {
  readonly token: string
  readonly standing: { readonly at: number; readonly dependsOn: readonly Handle[] }
  /** Epoch seconds. */
  readonly expiresAt: number
  /** Monotonic milliseconds: the token stood then. */
  readonly confirmedAtMs: number
}

interface OpenRequest extends Omit<WatchedToken, 'confirmedAtMs'> {
  confirmedAtMs: number
  isBeingChecked: boolean
  readonly onInvalid: () => void
}

interface OpenRequestsDeps {
  readonly standing: StandingSource
  readonly clock: Clock
  readonly maxStalenessMs: number
}

const MAX_TICK_MS = 100

export class OpenRequests {
  readonly #deps: OpenRequestsDeps
  readonly #open = new Set<OpenRequest>()
  #isRunning = false

  constructor(deps: OpenRequestsDeps) {
    this.#deps = deps
  }

  /** Number of watched responses. */
  get size(): number {
    return this.#open.size
  }

  /** Calls `onInvalid` once when the token is no longer valid. Returns a function that ends the watch. */
  watch(token: WatchedToken, onInvalid: () => void): () => void {
    const request = { ...token, onInvalid, isBeingChecked: false }
    this.#open.add(request)
    if (!this.#isRunning) void this.#run()
    return () => this.#open.delete(request)
  }

  async #run(): Promise<void> {
    const { clock, maxStalenessMs } = this.#deps
    const tickMs = Math.min(maxStalenessMs / 10, MAX_TICK_MS)
    this.#isRunning = true
    while (this.#open.size > 0) {
      await clock.after(tickMs)
      for (const request of this.#open) {
        const isConfirmed = clock.monotonicMs() + tickMs <= request.confirmedAtMs + maxStalenessMs
        if (isConfirmed && this.#now < request.expiresAt) void this.#check(request)
        else this.#end(request)
      }
    }
    this.#isRunning = false
  }

  get #now(): number {
    return Math.max(this.#deps.clock.now(), this.#deps.standing.time)
  }

  async #check(request: OpenRequest): Promise<void> {
    if (request.isBeingChecked) return
    request.isBeingChecked = true
    const result = await this.#deps.standing.check(request.token, request.standing, this.#deps.maxStalenessMs / 2)
    request.isBeingChecked = false
    if (result.state === 'ended') this.#end(request)
    // After `unknown` the next tick checks again, until the last confirmation is too old.
    else if (result.state === 'stands') request.confirmedAtMs = Math.max(request.confirmedAtMs, result.asOfMs)
  }

  #end(request: OpenRequest): void {
    if (this.#open.delete(request)) request.onInvalid()
  }
}
