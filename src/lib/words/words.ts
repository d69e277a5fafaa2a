// Splits a text into the words that search compares. Case, width and compatibility forms are folded (NFKC), and letters of Latin and Greek lose
// their diacritics. Invisible characters are dropped.
// - An identifier gives its parts and itself without separators: `read_passport` gives read, passport and readpassport.
// - `c++` and `c#` are words.
// - Scripts without spaces (Han, Kana, Hangul, Thai, Lao, Khmer, Myanmar) give overlapping pairs of characters.
// Of a long text only the beginning is read, so that no text takes long.
import { shortened } from '../text.js'
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
/** Folding makes words shorter or longer, but a part of this length is more than enough for a word. */
const MAX_UNFOLDED_CHARACTERS = 4 * MAX_WORD_CHARACTERS
/** Maximum number of characters of a text, before and after its compatibility forms are folded (NFKC makes 18 characters of one). */
const MAX_TEXT_CHARACTERS = 65_536
const MAX_WORDS = 4096
const TOKEN = /[\p{L}\p{M}\p{N}\p{Co}]+(?:[-._'’][\p{L}\p{M}\p{N}\p{Co}]+)*(?:\+\+|#)?/gu
const SEPARATOR = /[-._'’]/
/** Between the words of `readPassport` and of `JSONParser`, but not inside `PDFs`. */
const CAMEL_CASE = /(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll}{2})/u
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]+/u
const UNSPACED_OR_NOT = new RegExp(`${UNSPACED.source}|[^]+?(?=${UNSPACED.source}|$)`, 'gu')

/** The first words of the text. */
export function wordsOf(text: string): Word[] {
  const words: Word[] = []
  const read = withoutInvisible(text.slice(0, MAX_TEXT_CHARACTERS).normalize('NFKC').slice(0, MAX_TEXT_CHARACTERS))
  for (const [token] of read.matchAll(TOKEN))
    for (const part of UNSPACED.test(token) ? (token.match(UNSPACED_OR_NOT) ?? []) : [token])
      for (const word of UNSPACED.test(part) ? pairsOf(part) : spaced(part)) if (words.push(word) === MAX_WORDS) return words
  return words
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
function* spaced(token: string): Generator<Word> {
  const parts = token.split(SEPARATOR).filter((part) => part !== '')
  // An apostrophe does not join: « l'agent » is two words
  const isIdentifier = parts.length > 1 && !/['’]/.test(token)
  const identifier = isIdentifier ? [wordOf(parts.join(''))] : []
  for (const part of parts) {
    const pieces = part.split(CAMEL_CASE)
    const wholes = [...new Set([...(pieces.length > 1 ? [wordOf(part)] : []), ...identifier])]
    for (const piece of pieces) yield { text: wordOf(piece), accented: cut(lowerCase(unfolded(piece))), wholes }
  }
}

function* pairsOf(part: string): Generator<Word> {
  const characters = [...lowerCase(part)].slice(0, MAX_WORDS + 1)
  const run = characters.join('')
  const pairs = characters.length === 1 ? [run] : characters.slice(1).map((second, i) => `${characters[i]}${second}`)
  for (const pair of pairs) yield { text: pair, accented: pair, wholes: [], run }
}

const unfolded = (word: string): string => word.slice(0, MAX_UNFOLDED_CHARACTERS)
const wordOf = (word: string): string => cut(folded(unfolded(word)))

const cut = (word: string): string => shortened(word, MAX_WORD_CHARACTERS)
