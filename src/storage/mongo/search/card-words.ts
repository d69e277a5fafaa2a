// The words of card rows, for spelling and completion. A word is kept after its last row is gone: a search counts the rows of a word before it uses it.
import type { AnyBulkWriteOperation, Collection, Db, Document } from 'mongodb'
import { BoundedMap } from '../../../lib/bounded-map.js'
import type { WordPattern } from '../../card-search/card-index.js'
import { type CardEntry, reversed } from '../../card-search/entry.js'
import type { CollectionSchema } from '../ensure-schema.js'
import { callServer, isDuplicateKey } from '../session/errors.js'

interface StoredWord {
  readonly _id: string
  readonly reversed: string
  readonly length: number
  /** The tiers whose rows have or had the word, as in the flags of an entry. */
  readonly tiers: number
}

export const CARD_WORDS: CollectionSchema = { name: 'card-words', indexes: [{ name: 'reversed', key: { reversed: 1 } }] }

/** Words that this instance has stored, which saves most of the writes of a publication. */
const MAX_KNOWN = 100_000

export function newWords(db: Db) {
  const stored: Collection<StoredWord> = db.collection(CARD_WORDS.name)
  const known = new BoundedMap<string, number>(MAX_KNOWN)
  return {
    ensure: (ensureSchema: (schema: CollectionSchema) => Promise<void>) => ensureSchema(CARD_WORDS),
    async add(entries: readonly CardEntry[]): Promise<void> {
      const tiersOf = new Map<string, number>()
      for (const { words, tiers } of entries) for (const word of words) tiersOf.set(word, (tiersOf.get(word) ?? 0) | tiers)
      const fresh = [...tiersOf].filter(([word, tiers]) => ((known.get(word) ?? 0) | tiers) !== known.get(word))
      if (fresh.length === 0) return
      const writes = fresh.map(
        ([word, tiers]): AnyBulkWriteOperation<StoredWord> => ({
          updateOne: {
            filter: { _id: { $eq: word } },
            update: { $bit: { tiers: { or: tiers } }, $setOnInsert: { reversed: reversed(word), length: word.length } },
            upsert: true,
          },
        }),
      )
      const write = () => stored.bulkWrite(writes, { ordered: false })
      // Two instances may insert a word at the same time; the second try finds it
      await callServer(() => write().catch((error: unknown) => (isDuplicateKey(error) ? write() : Promise.reject(error))))
      for (const [word, tiers] of fresh) known.set(word, (known.get(word) ?? 0) | tiers)
    },
    async like(tiers: readonly number[], pattern: WordPattern, limit: number, maxTimeMS: number): Promise<readonly string[]> {
      const [field, start] = 'startsWith' in pattern ? ['_id', pattern.startsWith] : ['reversed', reversed(pattern.endsWith)]
      const [min, max] = pattern.lengths ?? [0, Number.MAX_SAFE_INTEGER]
      const filter: Document = {
        [field]: { $gte: start, $lt: `${start}\u{10ffff}` },
        tiers: { $in: tiers },
        length: { $gte: min, $lte: max },
      }
      const found = await stored.find(filter, { projection: { _id: 1 }, sort: { [field]: 1 }, limit, maxTimeMS }).toArray()
      return found.map(({ _id }) => _id)
    },
  }
}
