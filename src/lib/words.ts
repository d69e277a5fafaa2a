// Splits a text into words exactly as SQLite's tokenizer unicode61 does with remove_diacritics 2, so that both stores find the same cards:
// case is folded character by character, Latin letters lose their diacritics, and nothing is composed or decomposed.

/** Runs of letters, numbers and private-use characters, in lower case and without diacritics. */
export const wordsIn = (text: string): string[] =>
  [...text]
    .map((character) => (isDiacritic(character) ? '' : folded(character)))
    .join('')
    .match(/[\p{L}\p{N}\p{Co}]+/gu) ?? []

/** Bit set over U+0300 to U+033F: the combining marks that unicode61 drops instead of ending a word. */
const DIACRITICS = [0x08029fdf, 0x000361f8] as const

function isDiacritic(character: string): boolean {
  const bit = (character.codePointAt(0) ?? 0) - 0x300
  return bit >= 0 && bit < 64 && ((DIACRITICS[bit < 32 ? 0 : 1] >>> (bit % 32)) & 1) === 1
}

function folded(character: string): string {
  const [base = '', ...marks] = character.normalize('NFD')
  const letter = marks.length > 0 && /^[A-Za-z]$/.test(base) ? base : character
  // Lower, upper and lower again: letters with two lower-case forms (σ and ς, s and ſ) fold to one
  const lower = singleCharacter(letter.toLowerCase(), letter)
  return letter === 'ı' ? letter : singleCharacter(singleCharacter(lower.toUpperCase(), lower).toLowerCase(), lower)
}

/** Keeps the original if a case mapping turned one character into several. */
const singleCharacter = (mapped: string, original: string): string => ([...mapped].length === 1 ? mapped : original)
