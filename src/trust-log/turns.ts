// Whose turn it is to write the next block, where several instances share a store. A turn is a hint: the unique number of a block decides.
// Without turns the instance that wrote last would nearly always win, and the others would starve.
//
// Algorithm. The writers of the last second form a ring, in the order of their names. After a block of one writer it is the turn of the next. An
// instance that is d steps behind the last writer waits for the blocks of those in between, at most one slot for each. A writer that lets its
// slot pass is forgotten until it writes again, so an idle one delays the others once. A slot is twice the average duration of the own commits.
//
// Limits. Waits are measured by the machine's clock, also in tests that set the clock. A wait takes at most MAX_SLOT_MS for each other writer.
import { systemClock } from '../lib/clock.js'
import type { AppliedLog } from './apply.js'

const RING_MS = 1000
const MIN_SLOT_MS = 3
const MAX_SLOT_MS = 60
/** The share of a new duration in the moving average. */
const WEIGHT = 0.2

export class Turns {
  readonly #own: string
  readonly #applied: Pick<AppliedLog, 'n' | 'onApplied'>
  readonly #seenAt = new Map<string, number>()
  #last = ''
  #averageMs = MIN_SLOT_MS
  #wake = () => {}

  constructor(own: string, applied: Pick<AppliedLog, 'n' | 'onApplied'>) {
    this.#own = own
    this.#applied = applied
    applied.onApplied(({ writer }) => {
      this.#seenAt.set(writer, systemClock.monotonicMs())
      this.#last = writer
      this.#wake()
    })
  }

  /** Resolves when it is the turn of this instance, or when the others have let their slots pass. */
  async wait(): Promise<void> {
    for (let between = this.#writersBefore(); between.length > 0; between = this.#writersBefore()) {
      const { n } = this.#applied
      await this.#nextBlock(between.length * this.#slotMs)
      if (this.#applied.n !== n) continue
      for (const writer of between) this.#seenAt.delete(writer)
    }
  }

  /** Reports how long a commit of this instance took. */
  measured(ms: number): void {
    this.#averageMs += (ms - this.#averageMs) * WEIGHT
  }

  get #slotMs(): number {
    return Math.min(MAX_SLOT_MS, Math.max(MIN_SLOT_MS, 2 * this.#averageMs))
  }

  /** The writers whose turn comes before this instance. */
  #writersBefore(): readonly string[] {
    const since = systemClock.monotonicMs() - RING_MS
    for (const [writer, atMs] of this.#seenAt) if (atMs < since) this.#seenAt.delete(writer)
    if (!this.#seenAt.has(this.#last)) return []
    return [...this.#seenAt.keys()].filter((writer) => writer !== this.#own && isBetween(this.#last, writer, this.#own))
  }

  async #nextBlock(ms: number): Promise<void> {
    const woken = new AbortController()
    this.#wake = () => woken.abort()
    await systemClock.after(ms, woken.signal)
    this.#wake = () => {}
  }
}

/** True if `name` comes after `from` and before `to` on the ring. From a name to itself, all others are between. */
const isBetween = (from: string, name: string, to: string): boolean => (from < to ? from < name && name < to : name > from || name < to)
