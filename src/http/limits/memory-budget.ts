interface Reservation {
  grow(bytes: number): void
  release(): void
}

export interface MemoryBudget {
  /** Opens a reservation. `evict` is called if its memory has to be freed. */
  reserve(evict: () => void): Reservation
}

/**
 * A memory budget shared by transfers whose speed the peer controls. When the reservations exceed `maxBytes` together, the one that has held
 * memory longest is evicted. So any number of slow transfers cannot keep a fast one from succeeding.
 */
export function newMemoryBudget(maxBytes: number): MemoryBudget {
  // In the order in which the reservations began to hold memory
  const reservations = new Map<Reservation, { bytes: number; evict(): void }>()
  let totalBytes = 0
  return {
    reserve: (evict) => {
      const reservation: Reservation = {
        grow: (bytes) => {
          const entry = reservations.get(reservation) ?? { bytes: 0, evict }
          entry.bytes += bytes
          reservations.set(reservation, entry)
          totalBytes += bytes
          for (const [oldest, { evict }] of reservations) {
            if (totalBytes <= maxBytes) break
            oldest.release()
            evict()
          }
        },
        release: () => {
          totalBytes -= reservations.get(reservation)?.bytes ?? 0
          reservations.delete(reservation)
        },
      }
      return reservation
    },
  }
}
