export interface Reservation {
  grow(bytes: number): void
  release(): void
}

export interface MemoryBudget {
  /** For one that will hold memory; `giveUp` is called where it has to let go of it. */
  hold(giveUp: () => void): Reservation
}

/**
 * Memory that all share whose pace is another's. Past `maxBytes` the one that has held some longest gives up: whoever is quick is served,
 * however many are slow.
 */
export function newMemoryBudget(maxBytes: number): MemoryBudget {
  // In the order in which they began to hold some.
  const holders = new Map<Reservation, { bytes: number; giveUp(): void }>()
  let held = 0
  return {
    hold: (giveUp) => {
      const one: Reservation = {
        grow: (bytes) => {
          const holder = holders.get(one) ?? { bytes: 0, giveUp }
          holder.bytes += bytes
          holders.set(one, holder)
          held += bytes
          for (const [longest, { giveUp }] of holders) {
            if (held <= maxBytes) break
            longest.release()
            giveUp()
          }
        },
        release: () => {
          held -= holders.get(one)?.bytes ?? 0
          holders.delete(one)
        },
      }
      return one
    },
  }
}
