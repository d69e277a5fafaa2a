/** Equal reads that wait share one. Whoever comes while one is under way waits for the next: what it is told was read after it had asked. */
export function newShared<T>(): (key: string, read: () => Promise<T>) => Promise<T> {
  const running = new Map<string, Promise<T>>()
  const next = new Map<string, Promise<T>>()
  const start = (key: string, read: () => Promise<T>): Promise<T> => {
    const run = read().finally(() => {
      if (running.get(key) === run) running.delete(key)
    })
    running.set(key, run)
    return run
  }
  return (key, read) => {
    const before = running.get(key)
    if (before === undefined) return start(key, read)
    const waiting = next.get(key)
    if (waiting !== undefined) return waiting
    // However the one before ends, this one reads for itself
    const begin = (): Promise<T> => {
      next.delete(key)
      return start(key, read)
    }
    const run = before.then(begin, begin)
    next.set(key, run)
    return run
  }
}
