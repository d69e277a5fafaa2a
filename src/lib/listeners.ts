interface Listeners {
  readonly size: number
  /** Returns a function that removes the listener. */
  add(listener: () => void): () => void
  notify(): void
}

/** A set of listeners. Each listener runs in its own microtask, so an exception in one does not reach the notifier or the other listeners. */
export function newListeners(): Listeners {
  const listeners = new Set<() => void>()
  return {
    get size() {
      return listeners.size
    },
    add: (listener) => {
      // A wrapper, since the same function may be added twice
      const wrapper = () => listener()
      listeners.add(wrapper)
      return () => {
        listeners.delete(wrapper)
      }
    },
    notify: () => {
      for (const listener of listeners) queueMicrotask(listener)
    },
  }
}
