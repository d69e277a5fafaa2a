import { withoutUnprintable } from '../../lib/io/printable.js'
import { shortened } from '../../lib/text.js'

const MAX_LENGTH = 256

/**
 * A text that somebody else wrote: escaped, marked, at most 256 characters, without links. Controls and marks of direction are removed, and
 * the text cannot change the direction of what stands around it.
 */
export function Foreign({ text }: { readonly text: string }) {
  const shown = withoutUnprintable(text).trim()
  return (
    <bdi class="foreign">
      {shortened(shown, MAX_LENGTH)}
      {shown.length > MAX_LENGTH && '…'}
    </bdi>
  )
}
