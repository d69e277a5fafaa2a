import { newMoments } from '../../../lib/batch.js'

interface Waiting<T, R> {
  readonly item: T
  readonly resolve: (answer: R) => void
  readonly reject: (error: unknown) => void
}

const MAX_BATCH = 256

/** What arrives while a batch is under way shares the next one. `run` answers each item in its order; where it throws, the whole batch fails. */
export function newBatch<T, R>(run: (items: readonly T[]) => Promise<readonly (() => R)[]>): (item: T) => Promise<R> {
  let waiting: Waiting<T, R>[] = []
  let isRunning = false
  const comers = newComers()
  const gather = newMoments(MAX_BATCH)

  const drain = async (): Promise<void> => {
    while (waiting.length > 0) {
      await gather(comers.waiting)
      comers.leave()
      const batch = waiting.slice(0, MAX_BATCH)
      waiting = waiting.slice(MAX_BATCH)
      try {
        const answers = await run(batch.map(({ item }) => item))
        for (const [i, { resolve, reject }] of batch.entries()) settle(answers[i], resolve, reject)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    isRunning = false
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      comers.come()
      if (isRunning) return
      isRunning = true
      void drain()
    })
}

/** Counts who comes. What comes in one task of the event loop is one (an assertion and its proof): whoever is alone need not wait for others. */
function newComers() {
  let count = 0
  let isSame = false
  return {
    waiting: () => count,
    come: () => {
      if (!isSame) count++
      isSame = true
      process.nextTick(() => {
        isSame = false
      })
    },
    leave: () => {
      count = 0
    },
  }
}

function settle<R>(answer: (() => R) | undefined, resolve: (answer: R) => void, reject: (error: unknown) => void): void {
  try {
    if (answer === undefined) throw new Error('a batch left an item without an answer')
    resolve(answer())
  } catch (error) {
    reject(error)
  }
}
