export interface Listeners {
  readonly size: number
  /** Returns how to stop. */
  add(listener: () => void): () => void
  tell(): void
}

/** Who wants to hear of something. Each is told in a task of its own: one that throws is a bug of its owner, not of the teller. */
export function newListeners(): Listeners {
  const listeners = new Set<() => void>()
  return {
    get size() {
      return listeners.size
    },
    add: (listener) => {
      // The same function may listen twice
      const own = () => listener()
      listeners.add(own)
      return () => {
        listeners.delete(own)
      }
    },
    tell: () => {
      for (const listener of listeners) queueMicrotask(listener)
    },
  }
}
