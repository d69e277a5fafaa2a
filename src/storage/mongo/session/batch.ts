import { newTimerWindow } from '../../../lib/batch.js'

interface QueuedItem<T, R> {
  readonly item: T
  readonly resolve: (result: R) => void
  readonly reject: (error: unknown) => void
}

const MAX_BATCH = 256

/**
 * Batches calls: items that arrive while a batch runs share the next one. `run` returns a function for each item, in order, that returns the
 * item's result or throws its error. If `run` itself throws, all items of the batch fail.
 */
export function newBatch<T, R>(run: (items: readonly T[]) => Promise<readonly (() => R)[]>): (item: T) => Promise<R> {
  let queue: QueuedItem<T, R>[] = []
  let isRunning = false
  const arrivals = newArrivals()
  const awaitWindow = newTimerWindow(MAX_BATCH)

  const drain = async (): Promise<void> => {
    while (queue.length > 0) {
      await awaitWindow(arrivals.count)
      arrivals.reset()
      const batch = queue.slice(0, MAX_BATCH)
      queue = queue.slice(MAX_BATCH)
      try {
        const results = await run(batch.map(({ item }) => item))
        for (const [i, { resolve, reject }] of batch.entries()) deliver(results[i], resolve, reject)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    isRunning = false
  }

  return (item) =>
    new Promise((resolve, reject) => {
      queue.push({ item, resolve, reject })
      arrivals.add()
      if (isRunning) return
      isRunning = true
      void drain()
    })
}

/**
 * Counts callers for the batch window. Items of the same task of the event loop count as one caller (one request queues an assertion and a
 * proof), so that a lone request does not wait for others.
 */
function newArrivals() {
  let count = 0
  let isSameTask = false
  return {
    count: () => count,
    add: () => {
      if (!isSameTask) count++
      isSameTask = true
      process.nextTick(() => {
        isSameTask = false
      })
    },
    reset: () => {
      count = 0
    },
  }
}

function deliver<R>(result: (() => R) | undefined, resolve: (result: R) => void, reject: (error: unknown) => void): void {
  try {
    if (result === undefined) throw new Error('a batch returned no result for an item')
    resolve(result())
  } catch (error) {
    reject(error)
  }
}
