import { useId } from 'preact/hooks'

interface LinesProps {
  readonly label: string
  readonly hint?: string
  readonly value: readonly string[]
  readonly onChange: (lines: readonly string[]) => void
}

/** A list of texts, one a line. */
export function Lines({ label, hint, value, onChange }: LinesProps) {
  const id = useId()
  const parse = (text: string) => [...new Set(text.split('\n').map((line) => line.trim()))].filter((line) => line !== '')
  return (
    <>
      <label for={id}>{label}</label>
      <textarea
        id={id}
        rows={3}
        spellcheck={false}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        onChange={(event) => onChange(parse(event.currentTarget.value))}
      >
        {value.join('\n')}
      </textarea>
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </>
  )
}
