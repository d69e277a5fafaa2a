import type { Clock } from '../lib/clock.js'

type Keys = readonly Readonly<Record<string, unknown>>[]

/** The registry's public keys that card views are checked with. */
export interface Pins {
  current(): Promise<Keys>
  /** Read anew: keys rotate. Undefined where they were handed in, or were read a moment ago. */
  renewed(): Promise<Keys | undefined>
}

const REREAD_MS = 30_000

/** Handed in they are what they are; else those of the first contact, and read again when they do not fit, twice a minute at most. */
export function newPins(given: Keys | undefined, read: () => Promise<Keys>, clock: Pick<Clock, 'monotonicMs'>): Pins {
  let known: Promise<Keys> | undefined
  let readAt = 0
  const load = (): Promise<Keys> => {
    readAt = clock.monotonicMs()
    const reading = read()
    known = reading
    // A failure is asked again
    reading.catch(() => {
      if (known === reading) known = undefined
    })
    return reading
  }
  return {
    current: async () => given ?? (await (known ?? load())),
    renewed: async () => (given !== undefined || clock.monotonicMs() - readAt < REREAD_MS ? undefined : load()),
  }
}
