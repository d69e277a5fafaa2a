// Splits a text into the words that search compares. Case, width and compatibility forms are folded (NFKC), and letters of Latin and Greek lose
// their diacritics. Invisible characters are dropped.
// - An identifier gives its parts and itself without separators: `read_passport` gives read, passport and readpassport.
// - `c++` and `c#` are words.
// - Scripts without spaces (Han, Kana, Hangul, Thai, Lao, Khmer, Myanmar) give overlapping pairs of characters.
import { withoutInvisible } from './invisible.js'

export interface Word {
  readonly text: string
  /** The word in lower case with its diacritics, which stemmers need. */
  readonly accented: string
  /** The identifiers that the word is a part of, without separators. */
  readonly wholes: readonly string[]
  /** The run of characters that this pair was taken from. */
  readonly run?: string
}

const MAX_WORD_CHARACTERS = 64
const TOKEN = /[\p{L}\p{M}\p{N}\p{Co}]+(?:[-._'’][\p{L}\p{M}\p{N}\p{Co}]+)*(?:\+\+|#)?/gu
const SEPARATOR = /[-._'’]/
/** Between the words of `readPassport` and of `JSONParser`, but not inside `PDFs`. */
const CAMEL_CASE = /(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll}{2})/u
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]+/u
const UNSPACED_OR_NOT = new RegExp(`${UNSPACED.source}|[^]+?(?=${UNSPACED.source}|$)`, 'gu')

export function wordsOf(text: string): Word[] {
  return [...withoutInvisible(text.normalize('NFKC')).matchAll(TOKEN)].flatMap(([token]) =>
    UNSPACED.test(token)
      ? (token.match(UNSPACED_OR_NOT) ?? []).flatMap((part) => (UNSPACED.test(part) ? pairsOf(part) : spaced(part)))
      : spaced(token),
  )
}

/** Lower case without the diacritics of Latin and Greek letters. */
export function folded(text: string): string {
  const lower = lowerCase(text)
  if (isAscii(lower)) return lower
  const letters = lower.replace(/[ßæœøłđıςё]/gu, (letter) => LETTERS[letter] ?? letter)
  return letters
    .normalize('NFD')
    .replace(/(?<=[\p{Script=Latin}\p{Script=Greek}])\p{M}+/gu, '')
    .normalize('NFC')
}

const LETTERS: Readonly<Record<string, string>> = { ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', ł: 'l', đ: 'd', ı: 'i', ς: 'σ', ё: 'е' }
const isAscii = (text: string): boolean => /^[ -~]*$/.test(text)
const lowerCase = (text: string): string => text.toLowerCase()

/** The words of a token between spaces. */
function spaced(token: string): Word[] {
  const parts = token.split(SEPARATOR).filter((part) => part !== '')
  const words = parts.map((part) => part.split(CAMEL_CASE))
  // An apostrophe does not join: « l'agent » is two words
  const isIdentifier = parts.length > 1 && !/['’]/.test(token)
  return words.flatMap((pieces) => {
    const wholes = [...(pieces.length > 1 ? [pieces.join('')] : []), ...(isIdentifier ? [parts.join('')] : [])].map((whole) =>
      cut(folded(whole)),
    )
    return pieces.map((piece) => ({ text: cut(folded(piece)), accented: cut(lowerCase(piece)), wholes: [...new Set(wholes)] }))
  })
}

function pairsOf(part: string): Word[] {
  const run = lowerCase(part)
  const characters = [...run]
  const pairs = characters.length === 1 ? [run] : characters.slice(1).map((second, i) => `${characters[i]}${second}`)
  return pairs.map((pair) => ({ text: pair, accented: pair, wholes: [], run }))
}

const cut = (word: string): string =>
  word.length <= MAX_WORD_CHARACTERS ? word : word.slice(0, MAX_WORD_CHARACTERS).replace(/[\uD800-\uDBFF]$/, '')
