import { Refusal } from '../errors.js'

/** Requests that are worked on at once, while the store or the log lets them wait. */
export const MAX_WORKING = 128
/** Requests that wait for their turn. Who comes then is told at once to come back; what has come is answered in time. */
export const MAX_WAITING = 128
/** Begun in one turn of the event loop: turns stay short, so that new connections are accepted and answers leave meanwhile. */
const A_TURN = 8
const LIMITS = { working: MAX_WORKING, waiting: MAX_WAITING }
/** Of those, searches: what they cost grows with the cards, and strangers are not in the way of callers. */
export const SEARCH_LIMITS = { callers: { working: 8, waiting: 32 }, strangers: { working: 4, waiting: 32 } }

export interface ConcurrencyLimit {
  /** Who comes now is turned away. */
  isFull(): boolean
  /**
   * Works when the turn comes; `unavailable` where too many wait, or where by then nobody waits for it. It counts as worked on until the work
   * ends, whether its caller waits or has hung up: the store does the work all the same.
   */
  run<T>(isThere: () => boolean, work: () => Promise<T>): Promise<T>
}

interface Waiting {
  isThere(): boolean
  start(): void
  turnAway(): void
}

export interface ConcurrencyLimits {
  readonly working: number
  readonly waiting: number
}

/** One queue before everything that is answered. A slow sender is in nobody's way: it comes here when its body is there. */
export function newConcurrencyLimit({ working: maxWorking, waiting: maxWaiting }: ConcurrencyLimits = LIMITS): ConcurrencyLimit {
  let waiting: Waiting[] = []
  let working = 0
  let isTurnSet = false

  const setTurn = (): void => {
    if (isTurnSet || waiting.length === 0 || working >= maxWorking) return
    isTurnSet = true
    setImmediate(() => {
      isTurnSet = false
      for (const one of waiting.splice(0, Math.min(A_TURN, maxWorking - working))) begin(one)
      setTurn()
    })
  }
  const begin = (one: Waiting): void => {
    if (one.isThere()) {
      working++
      one.start()
    } else one.turnAway()
  }
  const isFull = (): boolean => {
    if (waiting.length < maxWaiting) return false
    // Who has hung up holds no place.
    const gone = waiting.filter((one) => !one.isThere())
    waiting = waiting.filter((one) => one.isThere())
    for (const one of gone) one.turnAway()
    return waiting.length >= maxWaiting
  }
  return {
    isFull,
    run: async (isThere, work) => {
      await new Promise<void>((start, reject) => {
        const turnAway = () => reject(new Refusal('unavailable', 'too many requests are under way', { retryAfterSeconds: 1 }))
        if (isFull()) return turnAway()
        waiting.push({ isThere, start, turnAway })
        setTurn()
      })
      try {
        return await work()
      } finally {
        working--
        setTurn()
      }
    },
  }
}
