import { useId } from 'preact/hooks'

/** From this part of a limit on, its bar warns. */
const HIGH = 0.8
/** The largest value counts as no limit. */
const NO_LIMIT = 1_000_000

/** How much of a limit is used, as a text and as a bar. */
export function Bar({ label, used, of }: { readonly label: string; readonly used: number; readonly of: number }) {
  const id = useId()
  const isFull = used >= of * HIGH
  return (
    <span>
      <span id={id}>
        {label}: {used} {of < NO_LIMIT && `of ${of}`} {isFull && <span class="state ended">nearly full</span>}
      </span>{' '}
      {of < NO_LIMIT && <meter aria-labelledby={id} value={Math.min(used, of)} max={of} high={of * HIGH} />}
    </span>
  )
}
