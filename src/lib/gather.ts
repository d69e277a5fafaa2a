// What comes together is done together: who must do something costly for many waits while more come. A few moments under load, one turn
// of the event loop without.

/** How many wait now. */
type Waiting = () => number

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))
const nextMoment = () => new Promise<void>((resolve) => setTimeout(resolve, 1))

/** On while each turn of the event loop brings more: for what costs less than a millisecond. */
export const gatherTurns = (waiting: Waiting, most: number): Promise<void> => gather(waiting, most, 6, nextTurn)

/** On while each millisecond brings more: for a round trip. One that is alone does not wait. */
export async function gatherMoments(waiting: Waiting, most: number): Promise<void> {
  await nextTurn()
  if (waiting() > 1) await gather(waiting, most, 6, nextMoment)
}

async function gather(waiting: Waiting, most: number, moments: number, pass: () => Promise<void>): Promise<void> {
  for (let n = 0, before = 0; n < moments && before < waiting() && waiting() < most; n++) {
    before = waiting()
    await pass()
  }
}
