import { printable } from '../../src/lib/io/printable.js'
import { Foreign } from './text.js'

/** `Foreign` shows at most 256 characters. */
const PART = 200
const NOT_ASCII = /[^\x20-\x7e]/u

/**
 * A text of others in full, as it is compared: what a reader cannot see is escaped, and a text with letters that only look like others says so. What a person
 * approves is what the person sees.
 */
export function Exact({ text }: { readonly text: string }) {
  const shown = printable(text).replaceAll(/^ | $|(?<= ) /g, '\\u0020')
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
export const Whole = ({ text }: { readonly text: string }) => (
  <>{partsOf(text).map((part, i) => [part.startsWith(' ') && ' ', <Foreign key={i} text={part} />, part.endsWith(' ') && ' '])}</>
)

function partsOf(text: string): readonly string[] {
  const characters = [...text]
  const parts: string[] = []
  for (let first = 0; first < characters.length; first += PART) parts.push(characters.slice(first, first + PART).join(''))
  return parts
}

const asciiOf = (text: string): string =>
  [...text].map((character) => (NOT_ASCII.test(character) ? `\\u{${character.codePointAt(0)?.toString(16)}}` : character)).join('')
