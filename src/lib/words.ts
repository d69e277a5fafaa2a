// The words of a text, cut and folded as SQLite's unicode61 with remove_diacritics 2 does, so that both stores find the same cards: case of
// one character for one, diacritics of Latin letters, nothing composed or decomposed.

/** Runs of letters, numbers and private-use characters; lower case, without diacritics. */
export const wordsIn = (text: string): string[] =>
  [...text]
    .map((character) => (isDiacritic(character) ? '' : folded(character)))
    .join('')
    .match(/[\p{L}\p{N}\p{Co}]+/gu) ?? []

/** Of U+0300 to U+0331 those that do not end a word. */
const DIACRITICS = [0x08029fdf, 0x000361f8] as const

function isDiacritic(character: string): boolean {
  const at = (character.codePointAt(0) ?? 0) - 0x300
  return at >= 0 && at < 64 && ((DIACRITICS[at < 32 ? 0 : 1] >>> (at % 32)) & 1) === 1
}

function folded(character: string): string {
  const [base = '', ...marks] = character.normalize('NFD')
  const letter = marks.length > 0 && /^[A-Za-z]$/.test(base) ? base : character
  // There and back: what has two small forms (σ and ς, s and ſ) has one
  const lower = one(letter.toLowerCase(), letter)
  return letter === 'ı' ? letter : one(one(lower.toUpperCase(), lower).toLowerCase(), lower)
}

/** The character that it became, where it did not become several. */
const one = (became: string, was: string): string => ([...became].length === 1 ? became : was)
