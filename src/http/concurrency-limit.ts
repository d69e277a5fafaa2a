// Limits how many requests run at once. At most MAX_WORKING requests run, at most MAX_WAITING wait in a first-in-first-out queue, and every
// further request is refused with `unavailable` (503) and Retry-After: 1. Waiting requests start in batches of BATCH_SIZE, one batch per
// event-loop turn, so that the event loop accepts connections and sends responses in between.
// A request enters after its body was read, so a slow upload holds no slot. A waiting request whose caller has disconnected is dropped
// without running. A running request holds its slot until its work ends, even if its caller has disconnected: the store does the work anyway.
// Cost: constant per request, and one pass over the queue for a request that finds it full. Limit: all queued requests have the same
// priority, so a client that sends many of them delays the others (trpc/over-websocket.ts limits the calls of one socket).
import { Refusal } from '../errors.js'

export const MAX_WORKING = 128
export const MAX_WAITING = 128
const BATCH_SIZE = 8
const LIMITS = { working: MAX_WORKING, waiting: MAX_WAITING }
/**
 * Limits for searches, which have queues of their own because the cost of a search grows with the number of cards.
 * Anonymous callers have a separate queue, so that they do not delay authenticated callers.
 */
export const SEARCH_LIMITS = { authenticated: { working: 8, waiting: 32 }, anonymous: { working: 4, waiting: 32 } }

export interface ConcurrencyLimit {
  /** True if a new request would be refused. */
  isFull(): boolean
  /** Runs `work` when a slot is free. Refuses with `unavailable` if the queue is full, or if the caller has disconnected by then. */
  run<T>(isConnected: () => boolean, work: () => Promise<T>): Promise<T>
}

interface WaitingRequest {
  isConnected(): boolean
  start(): void
  reject(): void
}

interface ConcurrencyLimits {
  readonly working: number
  readonly waiting: number
}

export function newConcurrencyLimit({ working: maxWorking, waiting: maxWaiting }: ConcurrencyLimits = LIMITS): ConcurrencyLimit {
  let queue: WaitingRequest[] = []
  let working = 0
  let isBatchScheduled = false

  const scheduleBatch = (): void => {
    if (isBatchScheduled || queue.length === 0 || working >= maxWorking) return
    isBatchScheduled = true
    setImmediate(() => {
      isBatchScheduled = false
      for (const request of queue.splice(0, Math.min(BATCH_SIZE, maxWorking - working))) startOrReject(request)
      scheduleBatch()
    })
  }
  const startOrReject = (request: WaitingRequest): void => {
    if (request.isConnected()) {
      working++
      request.start()
    } else request.reject()
  }
  const isFull = (): boolean => {
    if (queue.length < maxWaiting) return false
    const disconnected = queue.filter((request) => !request.isConnected())
    queue = queue.filter((request) => request.isConnected())
    for (const request of disconnected) request.reject()
    return queue.length >= maxWaiting
  }
  return {
    isFull,
    run: async (isConnected, work) => {
      await new Promise<void>((start, rejectWith) => {
        const reject = () => rejectWith(new Refusal('unavailable', 'too many requests, retry in 1 s', { retryAfterSeconds: 1 }))
        if (isFull()) return reject()
        queue.push({ isConnected, start, reject })
        scheduleBatch()
      })
      try {
        return await work()
      } finally {
        working--
        scheduleBatch()
      }
    },
  }
}
