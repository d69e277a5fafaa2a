// What comes together is done together: who must do something costly for many waits while more come. A few moments under load, one turn
// of the event loop without.

/** How many wait now. */
type Waiting = () => number

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))
const nextMoment = () => new Promise<void>((resolve) => setTimeout(resolve, 1))

/** On while each turn of the event loop brings more: for what costs less than a millisecond. */
export const gatherTurns = (waiting: Waiting, most: number): Promise<void> =>
  gather(waiting, { most, moments: 6, pass: nextTurn, patience: 0 })

/**
 * On while every other millisecond brings more: for a round trip. Who is alone does not wait, unless there was a crowd the last time: a crowd
 * that comes back comes one by one.
 */
export function newMoments(most: number): (waiting: Waiting) => Promise<void> {
  let last = 1
  return async (waiting) => {
    await nextTurn()
    if (last > 1 || waiting() > 1) await gather(waiting, { most, moments: 6, pass: nextMoment, patience: 1 })
    last = waiting()
  }
}

interface Gathering {
  readonly most: number
  readonly moments: number
  readonly pass: () => Promise<void>
  /** How many moments in a row may bring nobody. */
  readonly patience: number
}

async function gather(waiting: Waiting, { most, moments, pass, patience }: Gathering): Promise<void> {
  let [before, empty] = [0, -1]
  for (let n = 0; n < moments && waiting() < most; n++) {
    empty = before < waiting() ? 0 : empty + 1
    if (empty > patience) return
    before = waiting()
    await pass()
  }
}
