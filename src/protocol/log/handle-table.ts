// A hash table of handles with their horizons, in typed arrays. It takes about half of the memory of a Map of strings, and the
// garbage collector does not visit it.
//
// Algorithm. An entry holds a handle as five words, and handles are compared in full, never by their hash alone. The words hold a kind of at most
// four letters (20 bits) and 22 characters (132 bits). A handle that does not fit (the thumbprint of a signing key, a longer kind of a newer
// build) is also kept as text and compared by it. `#slots` finds the number of an entry by its hash: open addressing with linear probing.
// The entries whose horizons are in the same minute form a list, so `forgetBefore` visits only what it forgets.
//
// Cost. 40–80 bytes per handle: 32 for the entry, two slots of 4, and room to grow. A resize takes about 0.1 µs per handle.
// Limits. The hash has no secret: only the registry chooses the random part of a handle, so no other party can make handles collide.
import { base64urlCode, base64urlValue } from '../../lib/bytes.js'
import type { Handle } from '../handles.js'
import type { Ending } from './entry.js'

/** Words of an entry. The first five are the handle: 4 × 5 characters, then two characters and the kind. */
const WORDS = 8
const KIND = 4
const HASH = 5
const HORIZON = 6
/** The number of the next entry of a list. */
const NEXT = 7

const CHARACTERS = 22
const MAX_LETTERS = 4
/** In the place of the kind: the entry is free, or its handle is kept as text. A kind is never as small. */
const FREE = 0
const TEXT = 1
/** In the place of the horizon: none. A horizon from the year 2106 on counts as none: it is forgotten too late, and never too early. */
const NEVER = 0xffff_ffff
const MIN_CAPACITY = 16

export class HandleTable {
  /** Entry 0 is the handle that is looked up. The others are numbered from 1. */
  #entries = new Int32Array(MIN_CAPACITY * WORDS)
  /** Numbers of entries; 0 is an empty slot. At least half of the slots are empty. */
  #slots = new Int32Array(MIN_CAPACITY * 2)
  /** The number of entries that were ever used, entry 0 included. */
  #used = 1
  /** The first of the entries that became free; NEXT links them. */
  #free = 0
  #size = 0
  /** The first entry of the list of each minute; NEXT links them. An entry whose horizon was extended stays in its earlier list. */
  #minutes = new Map<number, number>()
  #texts = new Map<number, Handle>()

  get size(): number {
    return this.#size
  }

  /** Makes room for `count` handles in all at once, which costs less than to grow step by step. */
  reserve(count: number): void {
    let capacity = this.#capacity
    while (capacity <= count) capacity *= 2
    if (capacity > this.#capacity) this.#resize(capacity)
  }

  has(handle: Handle): boolean {
    return this.#slots[this.#find(handle)] !== 0
  }

  /** Adds a handle. If the table has it already, the later of the two horizons counts. */
  add({ handle, horizon = Number.POSITIVE_INFINITY }: Ending): void {
    if (this.#free === 0 && this.#used === this.#capacity) this.#resize(2 * this.#capacity)
    const slot = this.#find(handle)
    const known = this.#slots[slot] ?? 0
    const number = known === 0 ? this.#takeEntry(handle, slot) : known
    if (known !== 0 && this.#horizonOf(number) >= horizon) return
    this.#entries[number * WORDS + HORIZON] = Math.min(horizon, NEVER)
    if (known === 0) this.#link(number)
  }

  /** Removes every handle whose horizon is in a minute before this one. */
  forgetBefore(minute: number): void {
    for (const [listed, first] of this.#minutes) {
      if (listed >= minute) continue
      this.#minutes.delete(listed)
      for (let number = first; number !== 0; ) {
        const next = this.#entries[number * WORDS + NEXT] ?? 0
        if (minuteOf(this.#horizonOf(number)) < minute) this.#remove(number)
        else this.#link(number)
        number = next
      }
    }
    if (this.#size >= this.#capacity / 8 || this.#capacity === MIN_CAPACITY) return
    this.#compact()
    this.#resize(Math.max(this.#capacity / 4, MIN_CAPACITY))
  }

  /** All handles with their horizons, in no particular order. */
  endings(): Ending[] {
    const endings: Ending[] = []
    for (let number = 1; number < this.#used; number++) {
      if (this.#entries[number * WORDS + KIND] === FREE) continue
      const horizon = this.#horizonOf(number)
      const handle = this.#texts.get(number) ?? unpack(this.#entries, number * WORDS)
      endings.push(horizon === Number.POSITIVE_INFINITY ? { handle } : { handle, horizon })
    }
    return endings
  }

  get #capacity(): number {
    return this.#entries.length / WORDS
  }

  /** Writes the handle to entry 0. Returns the slot of its entry, or the empty slot where it belongs. */
  #find(handle: Handle): number {
    const entries = this.#entries
    const isPacked = pack(handle, entries)
    const hash = hashOf(entries)
    entries[HASH] = hash
    const mask = this.#slots.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot] ?? 0
      if (number === 0 || (isSame(entries, number * WORDS) && (isPacked || this.#texts.get(number) === handle))) return slot
    }
  }

  /** Moves entry 0 to a free entry, and that entry to the slot. */
  #takeEntry(handle: Handle, slot: number): number {
    const number = this.#free === 0 ? this.#used++ : this.#free
    if (number === this.#free) this.#free = this.#entries[number * WORDS + NEXT] ?? 0
    copyEntry(this.#entries, 0, number)
    if (this.#entries[KIND] === TEXT) this.#texts.set(number, handle)
    this.#slots[slot] = number
    this.#size++
    return number
  }

  #horizonOf(number: number): number {
    const horizon = (this.#entries[number * WORDS + HORIZON] ?? 0) >>> 0
    return horizon === NEVER ? Number.POSITIVE_INFINITY : horizon
  }

  /** Puts an entry with a horizon in the list of its minute. */
  #link(number: number): void {
    const horizon = this.#horizonOf(number)
    if (horizon === Number.POSITIVE_INFINITY) return
    const minute = minuteOf(horizon)
    this.#entries[number * WORDS + NEXT] = this.#minutes.get(minute) ?? 0
    this.#minutes.set(minute, number)
  }

  /** Empties the slot of the entry, and moves later entries of its chain back so that the chain has no hole. */
  #remove(number: number): void {
    const [entries, slots] = [this.#entries, this.#slots]
    const mask = slots.length - 1
    const homeOf = (entry: number): number => (entries[entry * WORDS + HASH] ?? 0) & mask
    let hole = homeOf(number)
    while (slots[hole] !== number) hole = (hole + 1) & mask
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const moved = slots[slot] ?? 0
      if (((slot - homeOf(moved)) & mask) < ((slot - hole) & mask)) continue
      slots[hole] = moved
      hole = slot
    }
    slots[hole] = 0
    this.#texts.delete(number)
    entries[number * WORDS + KIND] = FREE
    entries[number * WORDS + NEXT] = this.#free
    this.#free = number
    this.#size--
  }

  /** Moves all entries to the front and numbers them anew, so that no entry before `#used` is free. */
  #compact(): void {
    const [used, texts] = [this.#used, this.#texts]
    this.#used = 1
    this.#free = 0
    this.#minutes = new Map()
    this.#texts = new Map()
    for (let old = 1; old < used; old++) {
      if (this.#entries[old * WORDS + KIND] === FREE) continue
      const number = this.#used++
      copyEntry(this.#entries, old, number)
      this.#link(number)
      const text = texts.get(old)
      if (text !== undefined) this.#texts.set(number, text)
    }
  }

  #resize(capacity: number): void {
    const entries = new Int32Array(capacity * WORDS)
    entries.set(this.#entries.subarray(0, this.#used * WORDS))
    const slots = new Int32Array(capacity * 2)
    const mask = slots.length - 1
    for (let number = 1; number < this.#used; number++) {
      if (entries[number * WORDS + KIND] === FREE) continue
      let slot = (entries[number * WORDS + HASH] ?? 0) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = number
    }
    this.#entries = entries
    this.#slots = slots
  }
}

export const minuteOf = (seconds: number): number => Math.floor(seconds / 60)

/** Writes the handle to entry 0. False if it does not fit; the words then only narrow down the search for its text. */
function pack(handle: Handle, words: Int32Array): boolean {
  const start = handle.length - CHARACTERS
  const kind = kindIn(handle, start - 1)
  const a = sextets(handle, start, 5)
  const b = sextets(handle, start + 5, 5)
  const c = sextets(handle, start + 10, 5)
  const d = sextets(handle, start + 15, 5)
  const e = sextets(handle, start + 20, 2)
  const isPacked = (kind | a | b | c | d | e) >= 0
  words[0] = a
  words[1] = b
  words[2] = c
  words[3] = d
  words[KIND] = isPacked ? (kind << 12) | e : TEXT
  return isPacked
}

/** The letters before the colon at `length` as one number, 1–26 each; negative if they are not a kind that fits. */
function kindIn(handle: Handle, length: number): number {
  if (length < 1 || length > MAX_LETTERS || handle.charCodeAt(length) !== COLON) return -1
  let kind = 0
  for (let i = 0; i < length; i++) {
    const letter = handle.charCodeAt(i) - BEFORE_A
    kind = (kind << 5) | (letter >= 1 && letter <= 26 ? letter : -1)
  }
  return kind
}
const COLON = 0x3a
/** The code of the character before `a`. */
const BEFORE_A = 0x60

/** `count` characters of base64url as one number; negative if one of them is another character. */
function sextets(text: string, start: number, count: number): number {
  let value = 0
  for (let i = start; i < start + count; i++) value = (value << 6) | base64urlValue(text.charCodeAt(i))
  return value
}

function unpack(words: Int32Array, at: number): Handle {
  const last = words[at + KIND] ?? 0
  const codes = [COLON]
  for (let kind = last >>> 12; kind > 0; kind >>>= 5) codes.unshift(BEFORE_A + (kind & 31))
  for (let i = 0; i < 20; i++) codes.push(base64urlCode((words[at + Math.floor(i / 5)] ?? 0) >>> (24 - 6 * (i % 5))))
  codes.push(base64urlCode(last >>> 6), base64urlCode(last))
  return String.fromCharCode(...codes) as Handle
}

/** Multiplies and shifts as in MurmurHash3, so that similar handles get distant slots too. */
function hashOf(words: Int32Array): number {
  let hash = 0
  for (let i = 0; i <= KIND; i++) {
    hash = Math.imul(hash ^ (words[i] ?? 0), 0x9e37_79b1)
    hash ^= hash >>> 15
  }
  return hash
}

/** True if the entry has the handle of entry 0. */
const isSame = (words: Int32Array, at: number): boolean =>
  words[at + HASH] === words[HASH] &&
  words[at] === words[0] &&
  words[at + 1] === words[1] &&
  words[at + 2] === words[2] &&
  words[at + 3] === words[3] &&
  words[at + KIND] === words[KIND]

function copyEntry(words: Int32Array, from: number, to: number): void {
  for (let word = 0; word < WORDS; word++) words[to * WORDS + word] = words[from * WORDS + word] ?? 0
}
