/** Controls, format characters (bidi marks), characters that look empty, line and paragraph separators, and lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800\p{Zl}\p{Zp}\p{Cs}]/gu

/** The marks after the first three on one letter: stacked marks would cover the lines above and below. */
const STACKED_MARK = /(?<=\p{M}{3})\p{M}/gu

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/**
 * Escapes what could move the cursor, end the line or change the order of a text that is printed, as `\n` or `\u001b`. So a text that
 * others wrote stays on its line. JSON without line breaks keeps its value, because these characters are only in its strings.
 */
export const printable = (text: string): string =>
  text.replace(UNPRINTABLE, (character) => SHORT[character] ?? escaped(character)).replace(STACKED_MARK, escaped)

/** Two texts that differ are printed differently: a backslash is escaped, too, so the text `\n` does not look like a line break. Not for JSON. */
export const printableExactly = (text: string): string => printable(text.replaceAll('\\', '\\\\'))

/** The text without these characters; a line break or a tab becomes a space. */
export const withoutUnprintable = (text: string): string =>
  text.replace(UNPRINTABLE, (character) => (character in SHORT ? ' ' : '')).replace(STACKED_MARK, '')

/** One escape per UTF-16 unit, as JSON has it. */
const escaped = (character: string): string =>
  character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
