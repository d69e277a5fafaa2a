// The form of a dump: a header; then the parts in this order, each as lines of one kind; then a last line with counts, digests and the log's root.
import { z } from 'zod'
import { sha256 } from '#crypto'
import { Block, Position } from '../../protocol/log/entry.js'
import { COLLECTIONS } from '../collections.js'

export const LOG_PART = 'log'
const COUNTERS_PART = 'counters'
export const PARTS: readonly string[] = [LOG_PART, ...COLLECTIONS.map(({ name }) => name), COUNTERS_PART]

export const Header = z.object({
  export: z.literal('credence'),
  version: z.literal(1),
  contents: z.literal('store'),
  /** The last entry of the log freezes it: the registry moves with this dump. */
  isSealed: z.boolean(),
  position: Position,
})
export type Header = z.infer<typeof Header>

/** The members of a block keep their order, because the digest covers it. */
const RawBlock = z.custom<Block>((value) => Block.safeParse(value).success, 'not a log block')
const Counter = z.strictObject({ key: z.string(), sum: z.number(), expiresAt: z.number() })
export const DumpLine = z.union([
  z.strictObject({ block: RawBlock }),
  z.strictObject({ collection: z.string(), doc: z.record(z.string(), z.unknown()) }),
  z.strictObject({ counter: Counter }),
  z.strictObject({
    end: z.literal(true),
    /** Lines of each part. */
    documents: z.record(z.string(), z.int()),
    digests: z.record(z.string(), z.string()),
    /** RFC 6962 root of the log's tree in its last epoch, base64url. */
    root: z.string(),
  }),
])
export type DumpLine = z.infer<typeof DumpLine>
export type End = Extract<DumpLine, { end: true }>

export type PartLine = Exclude<DumpLine, End>

export const partOf = (line: PartLine): string => ('block' in line ? LOG_PART : 'counter' in line ? COUNTERS_PART : line.collection)
export const lineValue = (line: PartLine): object => ('block' in line ? line.block : 'counter' in line ? line.counter : line.doc)

/** Number of values and digest of each part. */
export type PartDigests = Pick<End, 'documents' | 'digests'>

/**
 * Digests parts. Stores return documents in different orders, so the digest of a part is the sum of the SHA-256 hashes of its texts, modulo 2^256.
 * Limit: it finds lost and damaged data, and does not resist an attacker who chooses the texts.
 */
export class PartSums {
  readonly #sums = new Map(PARTS.map((part) => [part, { count: 0, total: 0n }]))

  /** Returns the number of values of the part so far. */
  add(part: string, text: string): number {
    const { count, total } = this.#sums.get(part) ?? { count: 0, total: 0n }
    const hash = BigInt(`0x${Buffer.from(sha256(text)).toString('hex')}`)
    this.#sums.set(part, { count: count + 1, total: (total + hash) % MODULUS })
    return count + 1
  }

  digests(): PartDigests {
    return {
      documents: Object.fromEntries([...this.#sums].map(([part, { count }]) => [part, count])),
      digests: Object.fromEntries([...this.#sums].map(([part, { total }]) => [part, total.toString(16).padStart(64, '0')])),
    }
  }
}
const MODULUS = 1n << 256n

/** The first part that has another number of values, or another digest. */
export const differingPart = (one: PartDigests, other: PartDigests): string | undefined =>
  PARTS.find((part) => one.documents[part] !== other.documents[part] || one.digests[part] !== other.digests[part])
