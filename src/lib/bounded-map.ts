/** A map of at most `max` entries. Past it, the entry whose last use is the oldest is evicted. */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  get(key: K): V | undefined {
    const value = this.#entries.get(key)
    if (value !== undefined) this.set(key, value)
    return value
  }

  /** Returns the value. */
  set<S extends V>(key: K, value: S): S {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    const oldest = this.#entries.size > this.#max ? this.#entries.keys().next() : undefined
    if (oldest?.done === false) this.#entries.delete(oldest.value)
    return value
  }

  clear(): void {
    this.#entries.clear()
  }
}
