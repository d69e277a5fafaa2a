// Limits how many requests run at once, and divides the slots fairly. Each request has a key: its client, or the prefix of its address.
//
// Algorithm. Requests of one key wait in the order in which they came; the keys take turns. A key may hold at most as many slots as are still
// free (dynamic threshold of Choudhury and Hahne): a single key gets half of them, n keys get 1/(n+1) each, and a newcomer finds a free slot.
// When the queue is full, the newest request of the key that waits with the most requests makes room. The caller that exceeds its share is
// refused with `rate_limited` (429); only if every key waits with one request, the newcomer is refused with `unavailable` (503).
// At most BATCH_SIZE requests start per event-loop turn, so that the event loop accepts connections and sends responses in between.
//
// A request enters after its body was read, so a slow upload holds no slot. A waiting request whose caller has disconnected is dropped
// without running. A running request holds its slot until its work ends, even if its caller has disconnected: the store does the work anyway.
// Cost: one pass over the keys that wait, per request that starts or finds the queue full.
import { Refusal } from '../../errors.js'
import { systemClock } from '../../lib/clock.js'

const BATCH_SIZE = 8
/**
 * Limits for searches, which have queues of their own because the cost of a search grows with the number of cards.
 * Anonymous callers have a separate queue, so that they do not delay authenticated callers.
 */
export const SEARCH_LIMITS = { authenticated: { slots: 8, waiting: 32 }, anonymous: { slots: 4, waiting: 32 } }

export interface ConcurrencyLimit {
  /** The requests that hold a slot, and those that wait for one. */
  count(): { readonly running: number; readonly waiting: number }
  /** The refusal that a new request of `key` would get now; undefined if it may enter. */
  refusalFor(key: string): Refusal | undefined
  /** Resolves with a function that frees the slot, once there is one. Refuses past the share of `key`, or if the caller has disconnected. */
  enter(key: string, isConnected: () => boolean): Promise<() => void>
  /** Runs `work` in a slot. */
  run<T>(key: string, isConnected: () => boolean, work: () => Promise<T>): Promise<T>
}

interface WaitingRequest {
  readonly sinceMs: number
  isConnected(): boolean
  start(free: () => void): void
  reject(refusal: Refusal): void
}

interface ConcurrencyLimits {
  /** Requests that run at once. */
  readonly slots: number
  /** Requests that wait. */
  readonly waiting: number
}

/** `onStart` is called with the seconds that a request has waited for its slot. */
export function newConcurrencyLimit(
  { slots, waiting: maxWaiting }: ConcurrencyLimits,
  onStart: (seconds: number) => void = () => {},
): ConcurrencyLimit {
  const running = new Map<string, number>()
  // The keys that wait, in the order of their turns
  const queues = new Map<string, WaitingRequest[]>()
  let runningTotal = 0
  let waitingTotal = 0
  let startedInTurn = 0

  const startWaiting = (): void => {
    while (startedInTurn < BATCH_SIZE) {
      const key = nextKey()
      if (key === undefined) return
      const request = takeOldest(key)
      if (request.isConnected()) start(key, request)
      else request.reject(disconnected())
    }
  }
  const nextKey = (): string | undefined => {
    for (const key of queues.keys()) if (runningOf(key) < slots - runningTotal) return key
    return undefined
  }
  const runningOf = (key: string): number => running.get(key) ?? 0
  /** Takes the oldest request of a key, whose next turn comes after that of the others. */
  const takeOldest = (key: string): WaitingRequest => {
    const [oldest, ...others] = queues.get(key) ?? []
    if (!oldest) throw new Error('a queued key has no requests')
    queues.delete(key)
    if (others.length > 0) queues.set(key, others)
    waitingTotal--
    return oldest
  }
  const start = (key: string, request: WaitingRequest): void => {
    if (startedInTurn++ === 0) setImmediate(nextTurn)
    onStart((systemClock.monotonicMs() - request.sinceMs) / 1000)
    runningTotal++
    running.set(key, runningOf(key) + 1)
    let isFree = false
    request.start(() => {
      if (isFree) return
      isFree = true
      runningTotal--
      if (runningOf(key) > 1) running.set(key, runningOf(key) - 1)
      else running.delete(key)
      startWaiting()
    })
  }
  const nextTurn = (): void => {
    startedInTurn = 0
    startWaiting()
  }
  const dropDisconnected = (): void => {
    for (const [key, requests] of queues) {
      const connected = requests.filter((request) => request.isConnected())
      for (const request of requests) if (!request.isConnected()) request.reject(disconnected())
      waitingTotal -= requests.length - connected.length
      if (connected.length > 0) queues.set(key, connected)
      else queues.delete(key)
    }
  }
  const longest = (): { readonly key: string; readonly length: number } => {
    let found = { key: '', length: 0 }
    for (const [key, { length }] of queues) if (length > found.length) found = { key, length }
    return found
  }
  const pastShare = () =>
    new Refusal('rate_limited', 'too many requests of this caller at once, retry in 1 s', {
      ...RETRY,
      rateLimit: { name: 'concurrent-requests', quota: slots / 2 },
    })
  const refusalFor = (key: string): Refusal | undefined => {
    if (waitingTotal >= maxWaiting) dropDisconnected()
    const own = queues.get(key)?.length ?? 0
    if (waitingTotal < maxWaiting || longest().length > own + 1) return undefined
    return own === 0 ? busy() : pastShare()
  }
  /** Refuses the newest request of the key that waits with the most. */
  const makeRoom = (): void => {
    const { key } = longest()
    const requests = queues.get(key) ?? []
    requests.pop()?.reject(pastShare())
    if (requests.length === 0) queues.delete(key)
    waitingTotal--
  }
  const enter: ConcurrencyLimit['enter'] = (key, isConnected) =>
    new Promise((start, reject) => {
      const refusal = refusalFor(key)
      if (refusal) return reject(refusal)
      if (waitingTotal >= maxWaiting) makeRoom()
      const requests = queues.get(key) ?? []
      requests.push({ sinceMs: systemClock.monotonicMs(), isConnected, start, reject })
      queues.set(key, requests)
      waitingTotal++
      startWaiting()
    })
  return {
    count: () => ({ running: runningTotal, waiting: waitingTotal }),
    refusalFor,
    enter,
    run: async (key, isConnected, work) => {
      const free = await enter(key, isConnected)
      try {
        return await work()
      } finally {
        free()
      }
    },
  }
}

const RETRY = { retryAfterSeconds: 1 }
const busy = () => new Refusal('unavailable', 'too many requests, retry in 1 s', RETRY)
const disconnected = () => new Refusal('unavailable', 'the caller has disconnected')
