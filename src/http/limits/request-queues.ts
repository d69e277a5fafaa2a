// The queues of all requests. Public documents, requests of unverified callers, and requests of authenticated clients have slots of their
// own, so a flood of one kind does not delay the others. Within a kind, callers take turns (concurrency-limit.ts).
//
// A request begins in the queue of its address prefix. A claimed client id is never a key: only after its signature was verified does the
// endpoint call `enterAs`, which frees the slot of the address and waits for one of the client. Until then a request with credentials also
// counts against the rate of its address prefix; `enterAs` and a successful response take that back, so only credentials that fail count.
//
// A caller that exceeds a limit gets its 429 after HOLD_MS to 2 * HOLD_MS: a client that repeats refused requests at once would otherwise take
// the processor from the others. Refusals of one moment are spread evenly over that time, so that their callers do not return in one moment. At
// most MAX_HELD wait; the connection of a further one is closed instead.
import type { Refusal } from '../../errors.js'
import { systemClock } from '../../lib/clock.js'
import type { Metrics } from '../../lib/telemetry/metrics.js'
import { addressPrefix } from './address-prefix.js'
import { type ConcurrencyLimit, newConcurrencyLimit } from './concurrency-limit.js'
import type { RateLimits } from './rate-limit.js'

/** A single caller gets half of the slots. */
export const QUEUES = {
  public: { slots: 64, waiting: 256 },
  unverified: { slots: 128, waiting: 256 },
  clients: { slots: 256, waiting: 256 },
} as const
const HOLD_MS = 1000
const MAX_HELD = 1024
/** Multiples of the golden ratio, modulo 1, are spread evenly, however many there are. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2

/** What is known of a request before its body is read. */
interface Arrival {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly address: string
}

/** Counts the request for this client from now on. Call it once the signature of the client was verified. */
export type EnterAs = (clientId: string) => Promise<void>

export interface RequestQueues {
  /** The queue of authenticated clients, which calls over WebSockets enter directly. */
  readonly clients: ConcurrencyLimit
  /** All queues by name. */
  readonly limits: Readonly<Record<keyof typeof QUEUES, ConcurrencyLimit>>
  /** The refusal that a request would get now, for servers that ask before they read its body. */
  refusalFor(arrival: Arrival): Refusal | undefined
  /** Runs `work` in a slot of the caller. The request is dropped if `signal` aborts while it waits. */
  run<T extends { readonly status: number }>(arrival: Arrival, signal: AbortSignal, work: (enterAs: EnterAs) => Promise<T>): Promise<T>
  /** Resolves when a 429 may be sent: false if too many are held, so that the connection should be closed. */
  hold(signal: AbortSignal): Promise<boolean>
}

export function newRequestQueues({ credentials: rate }: Pick<RateLimits, 'credentials'>, metrics?: Metrics): RequestQueues {
  const limitOf = (queue: keyof typeof QUEUES) =>
    newConcurrencyLimit(QUEUES[queue], (seconds) => metrics?.queueSeconds.observe({ queue }, seconds))
  const limits = {
    public: limitOf('public'),
    unverified: limitOf('unverified'),
    clients: limitOf('clients'),
  }
  let held = 0
  let phase = 0
  const hold = async (signal: AbortSignal): Promise<boolean> => {
    if (held >= MAX_HELD) return false
    held++
    phase = (phase + GOLDEN_RATIO) % 1
    await systemClock.after(HOLD_MS * (1 + phase), signal)
    held--
    return true
  }
  const startFor = async (arrival: Arrival, signal: AbortSignal): Promise<() => void> => {
    const prefix = addressPrefix(arrival.address)
    const free = await limits[queueOf(arrival)].enter(prefix, () => !signal.aborted)
    const refusal = hasCredentials(arrival) ? rate.take(prefix) : undefined
    if (!refusal) return free
    free()
    throw refusal
  }
  return {
    clients: limits.clients,
    limits,
    refusalFor: (arrival) => {
      const prefix = addressPrefix(arrival.address)
      return limits[queueOf(arrival)].refusalFor(prefix) ?? (hasCredentials(arrival) ? rate.refusalFor(prefix) : undefined)
    },
    run: async (arrival, signal, work) => {
      let free = await startFor(arrival, signal)
      let isCounted = hasCredentials(arrival)
      const uncount = (): void => {
        if (isCounted) rate.refund(addressPrefix(arrival.address))
        isCounted = false
      }
      const enterAs: EnterAs = async (clientId) => {
        uncount()
        free()
        free = await limits.clients.enter(clientId, () => !signal.aborted)
      }
      try {
        const response = await work(enterAs)
        if (response.status < 400) uncount()
        return response
      } finally {
        free()
      }
    },
    hold,
  }
}

const hasCredentials = ({ path, headers }: Arrival): boolean =>
  path.startsWith('/oauth/') || headers.authorization !== undefined || headers.dpop !== undefined

const queueOf = (arrival: Arrival): 'public' | 'unverified' =>
  (arrival.method === 'GET' || arrival.method === 'HEAD') &&
  !arrival.path.startsWith('/trpc/') &&
  arrival.headers.upgrade === undefined &&
  !hasCredentials(arrival)
    ? 'public'
    : 'unverified'
