// Batch windows: a caller that is about to start a costly operation first waits for more callers, so that one operation serves all of them.
// A window polls the number of queued callers, once per event-loop turn or once per millisecond, and ends when the batch is full, when
// no further caller joins, or after MAX_POLLS polls. Cost: a lone caller of the timer window pays one event-loop turn, a burst at most
// MAX_POLLS milliseconds. Limit: the window sees only the count, so callers that join at a steady slow rate are served by several batches.

/** Returns the number of callers that are queued at the moment. */
type CountQueued = () => number

/** Maximum number of polls of one window. */
const MAX_POLLS = 6

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))
const nextMillisecond = () => new Promise<void>((resolve) => setTimeout(resolve, 1))

/** Waits until an event-loop turn brings no further caller. For operations that take less than a millisecond. */
export const awaitTurnWindow = (countQueued: CountQueued, maxBatch: number): Promise<void> =>
  awaitWindow(countQueued, { maxBatch, nextPoll: nextTurn, maxIdlePolls: 0 })

/**
 * Waits until two consecutive polls, one millisecond apart, find no further caller. For network round trips.
 * A lone caller waits for one event-loop turn only, unless the previous batch had several callers: they tend to return one after another.
 */
export function newTimerWindow(maxBatch: number): (countQueued: CountQueued) => Promise<void> {
  let previousBatch = 1
  return async (countQueued) => {
    await nextTurn()
    if (previousBatch > 1 || countQueued() > 1) await awaitWindow(countQueued, { maxBatch, nextPoll: nextMillisecond, maxIdlePolls: 1 })
    previousBatch = countQueued()
  }
}

interface WindowOptions {
  readonly maxBatch: number
  readonly nextPoll: () => Promise<void>
  /** The window ends after more consecutive polls than this without a new caller. */
  readonly maxIdlePolls: number
}

async function awaitWindow(countQueued: CountQueued, { maxBatch, nextPoll, maxIdlePolls }: WindowOptions): Promise<void> {
  let [previous, idlePolls] = [0, -1]
  for (let polls = 0; polls < MAX_POLLS && countQueued() < maxBatch; polls++) {
    idlePolls = previous < countQueued() ? 0 : idlePolls + 1
    if (idlePolls > maxIdlePolls) return
    previous = countQueued()
    await nextPoll()
  }
}
