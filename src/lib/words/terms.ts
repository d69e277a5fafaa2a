// The terms under which a text is indexed, and the concepts of a query, which are looked up as terms.
//
// A text is indexed under the stems of its words in its own language and under the synonym groups of its words. A query looks for the stems of all
// languages. A term of a group begins with `#`, which no other term does.
import { isStopWord, type Language, languageOf, stemOf, stemsOf } from './languages.js'
import { groupsOf } from './synonyms.js'
import { folded, type Word, wordsOf } from './words.js'

/** The terms of one occurrence of a word in a text. */
interface IndexedWord {
  readonly text: string
  readonly terms: readonly string[]
}

/** A word of a query with the terms that may stand for it. A factor below 1 says that a term means less than the word itself. */
export interface Concept {
  readonly word: string
  readonly terms: readonly { readonly term: string; readonly factor: number }[]
  /** Undefined for a pair of characters, whose parts mean nothing. */
  readonly isWhole: boolean
}

const FACTORS = { own: 1, otherLanguage: 0.85, whole: 0.9, group: 0.6 } as const

export const textLanguage = (text: string): Language => languageOf(wordsOf(text).map((word) => word.text))

/** The words of a text in order. `keepStopWords`: for texts in which every word counts, such as a name. */
export function indexedWords(text: string, language: Language, keepStopWords: boolean): IndexedWord[] {
  const wholesOf = new Map<string, IndexedWord>()
  const indexedWhole = (text: string): IndexedWord => {
    const known = wholesOf.get(text) ?? { text, terms: termsOfWord(language, { text, accented: text, wholes: [] }) }
    wholesOf.set(text, known)
    return known
  }
  return wordsOf(text).flatMap((word): IndexedWord[] => {
    const wholes = word.wholes.map(indexedWhole)
    if (!keepStopWords && isStop(language, word)) return wholes
    return [{ text: word.text, terms: termsOfWord(language, word) }, ...wholes]
  })
}

function termsOfWord(language: Language, word: Word): string[] {
  const stems = word.run === undefined ? [folded(stemOf(language, word.accented)), stemOf(language, word.text)] : [word.text]
  return [...new Set([...stems, ...groupsOf(word, stems)])]
}

/** The concepts of a query, at most `limit`. Stop words are left out, unless the query has no other words. */
export function conceptsOf(text: string, limit: number): Concept[] {
  const words = wordsOf(text)
  const language = languageOf(words.map((word) => word.text))
  const informative = words.filter((word) => !isStop(language, word))
  const concepts = new Map<string, Concept>()
  for (const word of informative.length > 0 ? informative : words)
    if (!concepts.has(word.text))
      concepts.set(word.text, { word: word.text, terms: queryTerms(language, word), isWhole: word.run === undefined })
  return [...concepts.values()].slice(0, limit)
}

function queryTerms(language: Language, word: Word): Concept['terms'] {
  const factors = new Map<string, number>()
  const add = (term: string, factor: number) => {
    if ((factors.get(term) ?? 0) < factor) factors.set(term, factor)
  }
  if (word.run === undefined) {
    for (const own of new Set<Language>([language, 'en'])) {
      add(folded(stemOf(own, word.accented)), FACTORS.own)
      add(stemOf(own, word.text), FACTORS.own)
    }
    for (const stem of [...stemsOf(word.accented).map(folded), ...stemsOf(word.text)]) add(stem, FACTORS.otherLanguage)
    for (const whole of word.wholes)
      for (const term of termsOfWord(language, { text: whole, accented: whole, wholes: [] }))
        add(term, term.startsWith('#') ? FACTORS.group : FACTORS.whole)
  } else add(word.text, FACTORS.own)
  const own = [...factors].flatMap(([term, factor]) => (factor === FACTORS.own ? [term] : []))
  for (const group of groupsOf(word, own)) add(group, FACTORS.group)
  return [...factors].map(([term, factor]) => ({ term, factor }))
}

/** The terms of a word that the index has, in place of a word that it does not have. */
export const termsInstead = (word: string, factor: number): Concept['terms'] => stemsOf(word).map((term) => ({ term, factor }))

/** The words of a text as one text, by which names are compared as a whole. */
export const wholeOf = (text: string): string =>
  wordsOf(text)
    .map((word) => word.text)
    .join(' ')

/** Pairs of characters that are endings, particles, pronouns or words of requests. */
const STOP_PAIR =
  /^\p{Script=Hiragana}+$|^\p{Script=Hiragana}\p{Script=Han}|\p{Script=Han}[のをはがにでとへも]$|[的了吗呢吧我你您他她它们请把被帮想这那个些]/u

/** Numbers and single letters. */
const SAYS_LITTLE = /^(\p{N}+|\p{L})$/u

const isStop = (language: Language, word: Word): boolean =>
  word.run === undefined ? isStopWord(language, word.text) || SAYS_LITTLE.test(word.text) : STOP_PAIR.test(word.text)
