import type { Clock } from '../lib/clock.js'

type Keys = readonly Readonly<Record<string, unknown>>[]

/** The registry's public keys, with which card views are verified. */
export interface Pins {
  current(): Promise<Keys>
  /** Reads the keys again, because they may have been rotated. Undefined if the keys were given, or were read less than a second ago. */
  renewed(): Promise<Keys | undefined>
}

const REREAD_MS = 1000

/** Given keys never change. Otherwise the keys that the registry serves at first use are trusted, and read again at most once a second. */
export function newPins(given: Keys | undefined, read: () => Promise<Keys>, clock: Pick<Clock, 'monotonicMs'>): Pins {
  let cached: Promise<Keys> | undefined
  let readAt = 0
  const load = (): Promise<Keys> => {
    readAt = clock.monotonicMs()
    const reading = read()
    cached = reading
    // After a failure the next call reads again.
    reading.catch(() => {
      if (cached === reading) cached = undefined
    })
    return reading
  }
  return {
    current: async () => given ?? (await (cached ?? load())),
    renewed: async () => (given !== undefined || clock.monotonicMs() - readAt < REREAD_MS ? undefined : load()),
  }
}
