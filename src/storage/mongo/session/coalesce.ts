/**
 * Coalesces equal reads. A caller never gets the result of a read that started before its call: callers that arrive during a read share
 * the next one.
 */
export function newCoalescer<T>(): (key: string, read: () => Promise<T>) => Promise<T> {
  const running = new Map<string, Promise<T>>()
  const queued = new Map<string, Promise<T>>()
  const start = (key: string, read: () => Promise<T>): Promise<T> => {
    const result = read().finally(() => {
      if (running.get(key) === result) running.delete(key)
    })
    running.set(key, result)
    return result
  }
  return (key, read) => {
    const current = running.get(key)
    if (current === undefined) return start(key, read)
    const next = queued.get(key)
    if (next !== undefined) return next
    // The next read starts when the current one has succeeded or failed
    const startNext = (): Promise<T> => {
      queued.delete(key)
      return start(key, read)
    }
    const result = current.then(startNext, startNext)
    queued.set(key, result)
    return result
  }
}
