// Words of the index in place of a word that is nowhere in it: those that continue it, or else those that are spelt nearly like it.
import type { CardIndex } from './card-index.js'
import type { CardTier, MatchedBy } from './port.js'

interface Instead {
  readonly word: string
  readonly factor: number
  readonly by: MatchedBy
}

const MIN_PREFIX = 3
const MIN_MISSPELT = 4
/** Shorter words begin with the right letter: with another one they are mostly other words. */
const MIN_ANY_FAULT = 6
/** Shorter words have one fault at most. */
const MIN_TWO_FAULTS = 8
const MAX_READ = 400
const FACTORS = { prefix: 0.75, spelling: [0, 0.8, 0.6] } as const

/** `isKnown`: the word has synonyms in the index, so it is no spelling fault. */
export async function wordsInstead(index: CardIndex, tier: CardTier, word: string, isKnown: boolean): Promise<readonly Instead[]> {
  const { length } = word
  if (length < MIN_PREFIX) return []
  const continued = await index.wordsLike(tier, { startsWith: word }, MAX_READ)
  if (continued.length > 0) return continued.map((one) => ({ word: one, factor: FACTORS.prefix, by: 'prefix' }))
  if (isKnown || length < MIN_MISSPELT) return []
  // One fault leaves the first or the last half of a word as it is; two faults mostly leave its first or its last third
  const one = await misspelt(index, tier, word, { kept: Math.max(2, Math.floor((length - 1) / 2)), faults: 1 })
  if (one.length > 0 || length < MIN_TWO_FAULTS) return one
  return misspelt(index, tier, word, { kept: Math.floor(length / 3), faults: 2 })
}

async function misspelt(
  index: CardIndex,
  tier: CardTier,
  word: string,
  { kept, faults }: { readonly kept: number; readonly faults: 1 | 2 },
): Promise<readonly Instead[]> {
  const lengths = [word.length - faults, word.length + faults] as const
  const [begun, ended] = await Promise.all([
    index.wordsLike(tier, { startsWith: word.slice(0, kept), lengths }, MAX_READ),
    index.wordsLike(tier, { endsWith: word.slice(-kept), lengths }, MAX_READ),
  ])
  return [...new Set([...begun, ...ended])].flatMap((one): Instead[] =>
    distance(word, one, faults) === faults && (word.length >= MIN_ANY_FAULT || word[0] === one[0])
      ? [{ word: one, factor: FACTORS.spelling[faults], by: 'spelling' }]
      : [],
  )
}

/**
 * The number of letters to add, remove, replace or swap with their neighbour (optimal string alignment), by which `a` becomes `b`; more than `most`
 * if there are more. Only the cells beside the diagonal are computed, so the cost is linear in the length of the words.
 */
function distance(a: string, b: string, most: number): number {
  const far = most + 1
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    const [from, to] = [Math.max(1, i - most), Math.min(b.length, i + most)]
    for (let j = from; j <= to; j++) {
      const isSame = a[i - 1] === b[j - 1]
      const edited = Math.min((last[j] ?? far) + 1, (row[j - 1] ?? far) + 1, (last[j - 1] ?? far) + (isSame ? 0 : 1))
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row[j] = isSwapped ? Math.min(edited, (before[j - 2] ?? far) + 1) : edited
    }
    ;[before, last] = [last, row]
  }
  return last[b.length] ?? far
}
