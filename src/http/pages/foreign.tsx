import { withoutUnprintable } from '../../lib/io/printable.js'
import { shortened } from '../../lib/text.js'

const MAX_LENGTH = 256

/**
 * A text that somebody else wrote: escaped, marked, at most `max` characters (default: 256), without links. Controls and marks of direction are removed, and
 * the text cannot change the direction of what stands around it.
 */
export function Foreign({ text, max = MAX_LENGTH }: { readonly text: string; readonly max?: number }) {
  const shown = withoutUnprintable(text).trim()
  return (
    <bdi class="foreign">
      {shortened(shown, max)}
      {shown.length > max && '…'}
    </bdi>
  )
}
