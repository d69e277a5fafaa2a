import { useId } from 'preact/hooks'

interface TextAreaProps {
  readonly label: string
  readonly name: string
  readonly hint?: string
  readonly value: string
  readonly onInput: (value: string) => void
  readonly rows?: number
  readonly required?: boolean
}

/** Several lines of text with their label. */
export function TextArea({ label, name, hint, value, onInput, rows = 3, required }: TextAreaProps) {
  const id = useId()
  return (
    <>
      <label for={id}>{label}</label>
      <textarea
        id={id}
        name={name}
        rows={rows}
        value={value}
        required={required}
        spellcheck={false}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </>
  )
}
