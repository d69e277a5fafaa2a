// The index entries of a card. Tiers with the same terms and properties share one entry, so a card without non-public parts has one.
//
// An entry is in a list for each of its terms, for each of its properties, and for its name. The lists of a term are divided by how much the term
// says about the card, so that a search for a frequent word reads the best cards first. The impact of a term is a property of the entry alone: the
// weighted number of occurrences, where repetitions and long fields count less (BM25F with fixed average lengths).

import { shortened } from '../../lib/text.js'
import { withoutInvisible } from '../../lib/words/invisible.js'
import type { Language } from '../../lib/words/languages.js'
import { indexedWords, textLanguage, wholeOf } from '../../lib/words/terms.js'
import { CARD_FIELDS, CARD_PROPERTIES, CARD_TIERS, type CardField, type CardProperty, type CardRow, type CardTier } from './port.js'

/** Raise it with any change of terms, impacts, lists or summaries: at the next start each card is indexed again. */
export const CARD_INDEX_VERSION = 2

export interface CardEntry {
  /** Sum of the `tierBit`s of the tiers that share the entry. */
  readonly tiers: number
  readonly updatedAt: number
  readonly isNonconformant: boolean
  /** The terms with impact and fields, see `termIn`. */
  readonly terms: string
  /** The lists of the name and of the properties, one on each line. */
  readonly properties: string
  /** The distinct words, for spelling and completion. */
  readonly words: readonly string[]
}

export const tierBit = (tier: CardTier): number => 2 ** CARD_TIERS.indexOf(tier)
export const hasTier = ({ tiers }: Pick<CardEntry, 'tiers'>, tier: CardTier): boolean => (tiers & tierBit(tier)) > 0

/** The flags of an entry are the bits of its tiers, and this one if its card is nonconformant. */
export const NONCONFORMANT = 8
export const MAX_FLAGS = 15
export const flagsOf = ({ tiers, isNonconformant }: CardEntry): number => tiers + (isNonconformant ? NONCONFORMANT : 0)

/** The key under which all rows are counted; others are terms and lists of properties. */
export const ALL_ROWS = '*'

/** Weight of an occurrence in a field, and the length (in words) up to which a field counts as short. */
const FIELDS: { readonly [F in CardField]: { readonly weight: number; readonly length: number } } = {
  name: { weight: 5, length: 3 },
  skills: { weight: 3.5, length: 8 },
  tags: { weight: 3, length: 8 },
  examples: { weight: 1.4, length: 50 },
  description: { weight: 1.2, length: 25 },
}
const MAX_REPETITIONS = 3
const SATURATION = 1.5
const MAX_TERMS = 1024
/** The number of terms up to which a card counts in full. More say less about what the agent is for: a card that has every word is good at nothing. */
const MANY_TERMS = 150
const MAX_PROPERTIES = 512
const MAX_VALUE_CHARACTERS = 256

/** The divisions of the lists of a term, the best first. */
const LEVELS = [3, 2, 1, 0] as const
/** An impact is stored as two characters, and the fields of a term as one. */
const DIGIT = 64
const MAX_IMPACT = DIGIT * DIGIT - 1

export const listsOfTerm = (term: string): string[] => LEVELS.map((level) => `${term}\t${level}`)
export const listOfName = (text: string): string => `name=${wholeOf(text)}`
/** Values are compared without regard to case, apart from ids. */
export const listOfProperty = (property: CardProperty, value: string): string =>
  `${property}=${property === 'organisation' ? value : comparable(value)}`

const comparable = (value: string): string =>
  shortened(
    withoutInvisible(value.normalize('NFKC'))
      .toLowerCase()
      .replace(/[\p{Cc}\p{Surrogate}\s]+/gu, ' ')
      .trim(),
    MAX_VALUE_CHARACTERS,
  )

export const reversed = (word: string): string => [...word].reverse().join('')

/** The entries of a card, from its rows of all tiers. No two of them have the same terms and properties, even if their texts differ. */
export function entriesOf(rows: readonly CardRow[]): CardEntry[] {
  const read = new Map<string, CardEntry>()
  const entries = new Map<string, CardEntry>()
  for (const row of rows) {
    // Reading the texts is slow, and mostly all tiers have the same
    const content = JSON.stringify([row.texts, row.properties, row.isNonconformant, row.updatedAt])
    const entry = read.get(content) ?? entryOf(row)
    read.set(content, entry)
    const key = JSON.stringify([entry.terms, entry.properties, entry.isNonconformant, entry.updatedAt])
    const same = entries.get(key) ?? { tiers: 0, words: entry.words }
    // Forms of a word have one term, so the words may differ: no tier gets a word that only another one has
    const words = same.words === entry.words ? entry.words : same.words.filter((word) => entry.words.includes(word))
    entries.set(key, { ...entry, tiers: same.tiers | tierBit(row.tier), words })
  }
  return [...entries.values()]
}

function entryOf(row: CardRow): CardEntry {
  const { terms, words } = termsOf(row.texts)
  const share = Math.min(1, MANY_TERMS / terms.size) ** 2
  const impacts = [...terms].map(([term, uses]) => ({ term, impact: impactOf(uses, share), fields: fieldsOf(uses) }))
  const values = CARD_PROPERTIES.flatMap((property) => (row.properties[property] ?? []).map((value) => listOfProperty(property, value)))
  const properties = [...new Set([listOfName(row.texts.name.join(' ')), ...values])].slice(0, MAX_PROPERTIES)
  return {
    tiers: tierBit(row.tier),
    updatedAt: row.updatedAt,
    isNonconformant: row.isNonconformant === true,
    terms: `\n${impacts.map(({ term, impact, fields }) => `${term}\t${String.fromCharCode(FIRST + Math.floor(impact / DIGIT), FIRST + (impact % DIGIT), FIRST + fields)}\n`).join('')}`,
    properties: properties.join('\n'),
    words: [...words],
  }
}

/** Occurrences of a term in each field, divided by how long the field is. */
type Uses = Map<CardField, { count: number; readonly norm: number }>

function termsOf(texts: CardRow['texts']): { readonly terms: ReadonlyMap<string, Uses>; readonly words: ReadonlySet<string> } {
  const language: Language = textLanguage([...texts.description, ...texts.examples].join('\n'))
  const terms = new Map<string, Uses>()
  const found = new Set<string>()
  for (const field of CARD_FIELDS) {
    const words = indexedWords(texts[field].join('\n'), language, field === 'name')
    const norm = normOf(words.length / FIELDS[field].length)
    for (const word of words)
      for (const term of word.terms) {
        const uses = terms.get(term) ?? (terms.size < MAX_TERMS ? new Map() : undefined)
        if (uses === undefined) continue
        terms.set(term, uses)
        found.add(word.text)
        const use = uses.get(field)
        if (use) use.count++
        else uses.set(field, { count: 1, norm })
      }
  }
  return { terms, words: found }
}

/** By how much a field that is longer than usual counts less. It grows slowly at first, so that agents with many skills are found too. */
const normOf = (ratio: number): number => (ratio <= 1 ? 1 : 1 + 0.35 * Math.log(ratio) + ratio / 25)

/** `share`: how much a card with so many terms counts. */
function impactOf(uses: Uses, share: number): number {
  const sum = [...uses].reduce(
    (total, [field, { count, norm }]) => total + (share * FIELDS[field].weight * Math.sqrt(Math.min(count, MAX_REPETITIONS))) / norm,
    0,
  )
  return Math.round((MAX_IMPACT * sum) / (sum + SATURATION))
}

const fieldsOf = (uses: Uses): number => CARD_FIELDS.reduce((bits, field, i) => bits + (uses.has(field) ? 2 ** i : 0), 0)
const levelOf = (impact: number): number => Math.min(3, Math.floor((impact * 4) / MAX_IMPACT))

/** The lists of a key under which rows are counted. */
export const listsOfKey = (key: string): string[] => (key.includes('=') ? [key] : listsOfTerm(key))

/** The keys under which an entry is counted. */
export const keysOfEntry = ({ terms, properties }: Pick<CardEntry, 'terms' | 'properties'>): string[] => [
  ALL_ROWS,
  ...[...terms.matchAll(/([^\n\t]+)\t/gu)].map(([, term = '']) => term),
  ...properties.split('\n'),
]

/** The lists that an entry is in. `use` says how the entry uses the term of the list; it is empty for other lists. */
export const listsOfEntry = ({ terms, properties }: Pick<CardEntry, 'terms' | 'properties'>): { list: string; use: string }[] => [
  ...[...terms.matchAll(/([^\n\t]+)\t(...)/g)].map(([, term = '', use = '']) => ({ list: `${term}\t${levelOf(impactAt(use, 0))}`, use })),
  ...properties.split('\n').map((list) => ({ list, use: '' })),
]

/** The number of characters that say how an entry uses a term: two digits of its impact, and its fields. */
export const USE_LENGTH = 3

/** The term of a list; undefined for a list of a property or a name. */
export const termOfList = (list: string): string | undefined => (list.includes('\t') ? list.slice(0, list.indexOf('\t')) : undefined)

/** The first of the characters that represent digits and sets of fields; all of them are printable ASCII. */
const FIRST = 48

const impactAt = (text: string, at: number): number => (text.charCodeAt(at) - FIRST) * DIGIT + text.charCodeAt(at + 1) - FIRST

/** The impact of a term in `terms` of an entry, from 0 (it is missing) to 1. */
export function impactIn(terms: string, term: string): number {
  const at = terms.indexOf(`\n${term}\t`)
  return at === -1 ? 0 : impactAt(terms, at + term.length + 2) / MAX_IMPACT
}

/** The fields that have the term. */
export function fieldsIn(terms: string, term: string): CardField[] {
  const at = terms.indexOf(`\n${term}\t`)
  const bits = at === -1 ? 0 : terms.charCodeAt(at + term.length + 4) - FIRST
  return CARD_FIELDS.filter((_, i) => (bits & (2 ** i)) !== 0)
}
