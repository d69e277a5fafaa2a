import { printableExactly } from '../../src/lib/io/printable.js'
import { Foreign } from './text.js'

const NOT_ASCII = /[^\x20-\x7e]/u

/**
 * A text of others in full, as it is compared: what a reader cannot see is escaped, as is the backslash, and a text with letters that only look like others
 * says so. What a person approves is what the person sees.
 */
export function Exact({ text }: { readonly text: string }) {
  const shown = printableExactly(text).replaceAll(/^ | $|(?<= ) /g, '\\u0020')
  return (
    <span class="exact">
      <Whole text={shown} />
      {NOT_ASCII.test(text) && (
        <span class="hint">
          {' '}
          not ASCII: <code>{asciiOf(text)}</code>
        </span>
      )}
    </span>
  )
}

/** Prose of others in full. */
export const Whole = ({ text }: { readonly text: string }) => <Foreign text={text} max={text.length} />

const asciiOf = (text: string): string =>
  [...text].map((character) => (NOT_ASCII.test(character) ? `\\u{${character.codePointAt(0)?.toString(16)}}` : character)).join('')
