import { Foreign } from '../../ui/text.js'
import type { Part } from './more.js'

/** A text of a card is shown up to this length. */
const MAX_TEXT = 8192

/** Parts of a card as nested lists. Names and values are the publisher's. */
export const CardParts = ({ parts }: { readonly parts: readonly Part[] }) => (
  <ul class="parts">
    {parts.map((part, i) => (
      <li key={`${i} ${part.name}`} class={part.isMore ? 'more' : undefined}>
        {part.name !== undefined && (
          <>
            <Foreign text={part.name} />
            {': '}
          </>
        )}
        {part.isMore && <span class="state good">more</span>} <Value part={part} />
      </li>
    ))}
  </ul>
)

function Value({ part: { value, parts } }: { readonly part: Part }) {
  if (value !== undefined) return <Foreign text={value} max={MAX_TEXT} />
  return parts.length === 0 ? <>(empty)</> : <CardParts parts={parts} />
}
