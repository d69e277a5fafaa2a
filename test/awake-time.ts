// Measures of time for tests that bound a duration. A busy machine runs other programs meanwhile, so the time on the wall says little.

const TICK_MS = 10
const MAX_STEP_MS = 20

let awake = 0
let seenMs = performance.now()
setInterval(awakeMs, TICK_MS).unref()

/**
 * Milliseconds that this process has had: a longer pause, in which the machine ran something else, counts as MAX_STEP_MS. What waits for a timer
 * takes no longer by this clock than by that on the wall. Not for a computation, which is a pause too.
 */
export function awakeMs(): number {
  const nowMs = performance.now()
  awake += Math.min(MAX_STEP_MS, nowMs - seenMs)
  seenMs = nowMs
  return awake
}

/** Milliseconds of the processor that a computation takes. */
export function cpuMsOf(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
