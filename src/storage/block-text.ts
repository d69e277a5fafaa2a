// The text of a block as stores keep it: JSON, in which each entry is on a line of its own in its RFC 8785 form. Those are the bytes that a leaf
// of the Merkle tree hashes, so a page of the log is cut from the text without parsing it.
import { canonical } from '../credentials/jose/canonical-json.js'
import { DamagedStore } from '../errors.js'
import { utf8 } from '../lib/bytes.js'
import { deepFreeze } from '../lib/deep-freeze.js'
import type { Block, Entry } from '../protocol/log/entry.js'
import { storedJson } from './stored-json.js'

const LINE_END = 0x0a
const COMMA = 0x2c

export function textOfBlock({ entries, ...head }: Block): string {
  return `${JSON.stringify(head).slice(0, -1)},"entries":[\n${entries.map(canonical).join(',\n')}\n]}`
}

/** The RFC 8785 texts of the entries of a block, from its text; all in UTF-8. JSON escapes line ends in strings, so each one ends a line. */
export function entryTextsOf(text: Uint8Array): readonly Uint8Array[] {
  // A Buffer finds a byte 25 times as fast as a Uint8Array does.
  const block = Buffer.from(text.buffer, text.byteOffset, text.byteLength)
  const texts: Uint8Array[] = []
  let start = block.indexOf(LINE_END) + 1
  // An older release wrote the block on one line
  if (start === 0) return blockOf(block).entries.map((entry) => utf8(canonical(entry)))
  for (let end = block.indexOf(LINE_END, start); end >= 0; end = block.indexOf(LINE_END, start)) {
    texts.push(block.subarray(start, block[end - 1] === COMMA ? end - 1 : end))
    start = end + 1
  }
  return texts
}

/** The block with this number, from its stored text. `append` validated it; whether it follows the block before, its Merkle tree shows. */
export function storedBlockOf(text: string, n: number): Block {
  const block = storedJson<Block | null>(text, `block ${n} of the log`)
  if (block?.n !== n || !Array.isArray(block.entries) || !Array.isArray(block.frontier))
    throw new DamagedStore(`block ${n} of the log is damaged: it is not the text of this block`)
  return deepFreeze(block)
}

// `append` validated the block before it wrote its text.
const decoder = new TextDecoder()
const blockOf = (text: Uint8Array): Block => JSON.parse(decoder.decode(text)) as Block

export const missingEntry = (seq: number) => new DamagedStore(`entry ${seq} of the log is missing: a block is damaged`)

/** The entry with this number, from its text. In a damaged block another entry may stand in its place. */
export function entryOf(text: Uint8Array, seq: number): Entry {
  const entry = storedJson<Entry | null>(decoder.decode(text), `entry ${seq} of the log`)
  if (entry?.seq !== seq) throw missingEntry(seq)
  return entry
}
