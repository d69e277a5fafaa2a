/** Requests that are worked on at once, while the store or the log lets them wait. */
export const MAX_WORKING = 128
/** Requests that wait for their turn. Who comes then is told at once to come back; what has come is answered in time. */
export const MAX_WAITING = 128
/** Begun in one turn of the event loop: turns stay short, so that new connections are accepted and answers leave meanwhile. */
const A_TURN = 8

export interface Admission<T> {
  /** Begins it when its turn comes, or turns it away. */
  come(one: T): void
  /** From when its work begins to when it is answered it counts as worked on. */
  begin(): void
  end(): void
}

/** One queue before everything that is answered. A slow sender is in nobody's way: it counts from when its body is there. */
export function newAdmission<T>({ start, turnAway }: { start(one: T): void; turnAway(one: T): void }): Admission<T> {
  const waiting: T[] = []
  let working = 0
  let isTurnSet = false

  const setTurn = (): void => {
    if (isTurnSet || waiting.length === 0 || working >= MAX_WORKING) return
    isTurnSet = true
    setImmediate(() => {
      isTurnSet = false
      for (const one of waiting.splice(0, Math.min(A_TURN, MAX_WORKING - working))) start(one)
      setTurn()
    })
  }
  return {
    come: (one) => {
      if (waiting.length >= MAX_WAITING) return turnAway(one)
      waiting.push(one)
      setTurn()
    },
    begin: () => {
      working++
    },
    end: () => {
      working--
      setTurn()
    },
  }
}
