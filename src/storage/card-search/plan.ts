import { type Concept, conceptsOf, termsInstead } from '../../lib/words/terms.js'
import type { CardIndex, Scope } from './card-index.js'
import { ALL_ROWS, listsOfTerm } from './entry.js'
import type { CardTier, MatchedBy, Plan, PlannedTerm } from './port.js'
import { wordsInstead } from './spelling.js'

/** Maximum number of words of a query; further ones are ignored. */
const MAX_WORDS = 20
const RARE_FILTER_ROWS = 300
/** Maximum number of rows of lists that a search reads, apart from the lists of its rarest term. */
const MAX_ROWS_READ = 10_000
/** Maximum number of terms that stand for one word. */
const MAX_TERMS = 8
/** Maximum number of bytes of all words and terms as JSON. A cursor contains them, even if they cannot be compressed. */
const MAX_WORDS_BYTES = 5000
/** Upper bounds of what a word and a term need as JSON besides their texts. */
const BYTES_BESIDE = { word: 40, term: 24 } as const

type Sizes = ReadonlyMap<string, number>
interface Term {
  readonly term: string
  readonly factor: number
  readonly by?: MatchedBy
  /** Number of rows that have the term. */
  readonly rows: number
}

/** Plans a query; undefined if the text has no word. Weights come from the numbers of rows of the caller's tier that have a word. */
export async function planOf(
  index: CardIndex,
  { tier, filters }: Pick<Scope, 'tier' | 'filters'>,
  text: string,
): Promise<Plan | undefined> {
  const concepts = conceptsOf(text, MAX_WORDS)
  if (concepts.length === 0) return undefined
  const terms = concepts.flatMap((concept) => concept.terms).map(({ term }) => term)
  const sizes = await index.sizes(tier, [ALL_ROWS, ...filters.flat(), ...terms])
  const found = await Promise.all(concepts.map(async (concept) => ({ ...concept, terms: await termsOf(index, tier, concept, sizes) })))
  const words = withinBytes(found)
  const total = sizes.get(ALL_ROWS) ?? 0
  const filter = rareFilter(filters, sizes)
  const read = filter === undefined ? termsToRead(words) : undefined
  const planned = words.map(({ word, terms }) => planWord(word, terms, { total, read }))
  const all = termsIn(planned)
  return { words: planned, reads: filter === undefined ? { terms: [...(read ?? [])].map((term) => all.indexOf(term)) } : { filter } }
}

const termsIn = (words: Plan['words']): string[] => words.flatMap((word) => word.terms.map(([term]) => term))

/** The lists that a plan reads. `name` is the list of the cards that have the searched text as their name. */
export function listsRead({ words, reads }: Plan, name: string, filters: Scope['filters']): readonly string[] {
  if ('filter' in reads) return filters[reads.filter] ?? []
  const terms = termsIn(words)
  return [name, ...reads.terms.flatMap((i) => listsOfTerm(terms[i] ?? ''))]
}

/** Leaves out terms until all fit, the best of each word last. */
function withinBytes(words: readonly ConceptTerms[]): readonly ConceptTerms[] {
  let left = words.reduce((rest, { word }) => rest - Buffer.byteLength(word) - BYTES_BESIDE.word, MAX_WORDS_BYTES)
  const kept = new Set<Term>()
  for (let rank = 0; rank < MAX_TERMS; rank++)
    for (const { terms } of words) {
      const term = terms[rank]
      const bytes = term === undefined ? 0 : Buffer.byteLength(term.term) + BYTES_BESIDE.term
      if (term === undefined || bytes > left) continue
      left -= bytes
      kept.add(term)
    }
  return words.map(({ word, terms }) => ({ word, terms: terms.filter((term) => kept.has(term)) }))
}

interface ConceptTerms {
  readonly word: string
  readonly terms: readonly Term[]
}

/** The rarest terms of a query whose lists are read: as many as have MAX_ROWS_READ rows together, but at least one. */
function termsToRead(words: readonly ConceptTerms[]): ReadonlySet<string> {
  const rowsByTerm = new Map(words.flatMap(({ terms }) => terms).map(({ term, rows }) => [term, rows]))
  const rarestFirst = [...rowsByTerm].filter(([, rows]) => rows > 0).sort(([a, ofA], [b, ofB]) => ofA - ofB || (a < b ? -1 : 1))
  const read = new Set<string>()
  let sum = 0
  for (const [term, rows] of rarestFirst) {
    sum += rows
    if (read.size > 0 && sum > MAX_ROWS_READ) break
    read.add(term)
  }
  return read
}

/** Terms whose lists are not read are too frequent to score rows: they have no factor, and a word without others no weight. */
function planWord(
  word: string,
  terms: readonly Term[],
  { total, read }: { total: number; read: ReadonlySet<string> | undefined },
): Plan['words'][number] {
  const isRead = ({ term, rows }: Term) => read === undefined || rows === 0 || read.has(term)
  const planned = [...terms.filter(isRead), ...terms.filter((term) => !isRead(term)).map((term) => ({ ...term, factor: 0 }))].map(
    plannedTerm,
  )
  return { word, weight: terms.some(isRead) ? weightOf(terms, total) : 0, terms: planned }
}

/** The number of the rarest filter, if its lists are so short that reading them is quicker than reading the lists of the words. */
function rareFilter(filters: Scope['filters'], sizes: Sizes): number | undefined {
  const [rarest] = rarestFilterFirst(filters, sizes)
  return rarest && rowsOf(rarest, sizes) <= RARE_FILTER_ROWS ? filters.indexOf(rarest) : undefined
}

/** The filters in an order in which most rows fail early. */
export const rarestFilterFirst = (filters: Scope['filters'], sizes: Sizes): Scope['filters'] =>
  [...filters].sort((a, b) => rowsOf(a, sizes) - rowsOf(b, sizes))

const rowsOf = (lists: readonly string[], sizes: Sizes): number => lists.reduce((sum, list) => sum + (sizes.get(list) ?? 0), 0)

/** The terms of a word, the best first. Of a word that is nowhere, with the terms of similar words. */
async function termsOf(index: CardIndex, tier: CardTier, { word, terms, isWhole }: Concept, sizes: Sizes): Promise<readonly Term[]> {
  const own = terms.map(
    ({ term, factor }): Term => ({ term, factor, rows: sizes.get(term) ?? 0, ...(term.startsWith('#') && { by: 'synonym' }) }),
  )
  if (!isWhole && word.length > 1) return own
  const isOwn = ({ factor, rows }: Term) => factor === 1 && rows > 0
  // What other languages make of a word counts only if it is not a word of the query's own language
  if (own.some(isOwn)) return own.filter(({ factor, by }) => factor === 1 || by !== undefined).slice(0, MAX_TERMS)
  const isKnown = own.some(({ rows }) => rows > 0)
  const similar = await similarTerms(index, tier, word, isKnown)
  return [...own, ...similar].sort((a, b) => b.factor - a.factor || b.rows - a.rows).slice(0, MAX_TERMS)
}

async function similarTerms(index: CardIndex, tier: CardTier, word: string, isKnown: boolean): Promise<readonly Term[]> {
  const instead = (await wordsInstead(index, tier, word, isKnown)).flatMap(({ word: other, factor, by }) =>
    termsInstead(other, factor).map((term) => ({ ...term, by })),
  )
  const sizes = await index.sizes(
    tier,
    instead.map(({ term }) => term),
  )
  const byTerm = new Map(instead.map((one): [string, Term] => [one.term, { ...one, rows: sizes.get(one.term) ?? 0 }]))
  return [...byTerm.values()]
    .filter(({ rows }) => rows > 0)
    .sort((a, b) => b.rows - a.rows || (a.term < b.term ? -1 : 1))
    .slice(0, MAX_TERMS)
}

/**
 * Inverse document frequency: the fewer rows have a word, the more it says. A word of very few rows may be there by accident, and a word of none
 * cannot tell rows apart, so both are bounded. In hundredths, because a cursor contains it.
 */
function weightOf(terms: readonly Term[], total: number): number {
  const own = terms.filter(({ by, rows }) => by === undefined && rows > 0)
  const rows = Math.max(0, ...(own.length > 0 ? own : terms).map((term) => term.rows))
  if (rows === 0) return UNKNOWN_WEIGHT
  const counted = Math.max(rows, FEW_ROWS, total * FEW_OF_ALL)
  return Math.max(1, Math.round(100 * Math.log(1 + (total - rows + 0.5) / (counted + 0.5))))
}
const UNKNOWN_WEIGHT = 150
const FEW_ROWS = 2
const FEW_OF_ALL = 0.002

const plannedTerm = ({ term, factor, by }: Pick<Term, 'term' | 'factor' | 'by'>): PlannedTerm => {
  const percent = Math.round(factor * 100)
  return by === undefined ? [term, percent] : [term, percent, by]
}
