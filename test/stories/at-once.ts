import { expect } from 'vitest'

/** Requests of a race: enough that each step of one overlaps with each step of another, and few enough for a busy machine. */
export const AT_ONCE = 8

export const atOnce = <T>(work: (i: number) => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: AT_ONCE }, (_, i) => work(i)))

/** Does the work as often, one after another: for what a race needs first. */
export async function inTurn<T>(work: (i: number) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (let i = 0; i < AT_ONCE; i++) results.push(await work(i))
  return results
}

interface Outcome {
  readonly status: number
}

/** False for 503: an instance that could not respond in time has done the work or not. */
export const isKnown = ({ status }: Outcome): boolean => status !== 503

/** One of the requests succeeded; none must be seen to have succeeded if the outcome of one is not known. */
export function expectOne(all: readonly Outcome[], won: readonly Outcome[] = all.filter(({ status }) => status === 200)): void {
  expect(won.length).toBeLessThanOrEqual(1)
  if (all.every(isKnown)) expect(won).toHaveLength(1)
}
