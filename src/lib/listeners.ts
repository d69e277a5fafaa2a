interface Listeners<T> {
  readonly size: number
  /** Returns a function that removes the listener. */
  add(listener: (value: T) => void): () => void
  notify(value: T): void
}

/** A set of listeners. Each listener runs in its own microtask, so an exception in one does not reach the notifier or the other listeners. */
export function newListeners<T = void>(): Listeners<T> {
  const listeners = new Set<(value: T) => void>()
  return {
    get size() {
      return listeners.size
    },
    add: (listener) => {
      // A wrapper, since the same function may be added twice
      const wrapper = (value: T) => listener(value)
      listeners.add(wrapper)
      return () => {
        listeners.delete(wrapper)
      }
    },
    notify: (value) => {
      for (const listener of listeners) queueMicrotask(() => listener(value))
    },
  }
}
