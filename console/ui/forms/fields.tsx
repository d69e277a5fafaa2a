import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

interface FieldProps {
  readonly label: string
  readonly name: string
  readonly hint?: string
  readonly value?: string
  readonly onInput?: (value: string) => void
  readonly required?: boolean
  readonly type?: 'text' | 'date' | 'number' | 'search' | 'datetime-local'
}

/** A line of text with its label. */
export function Field({ label, name, hint, value, onInput, required, type = 'text' }: FieldProps) {
  const id = useId()
  return (
    <>
      <label for={id}>{label}</label>
      <input
        id={id}
        name={name}
        type={type as 'text'} // preact's type has a variant per kind of input
        value={value}
        required={required}
        autocomplete="off"
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        onInput={onInput && ((event) => onInput(event.currentTarget.value))}
      />
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </>
  )
}

interface ChoiceProps {
  readonly label: string
  readonly name: string
  readonly options: readonly (readonly [value: string, label: string])[]
  readonly value?: string
  readonly onChange?: (value: string) => void
}

/** One of several values. */
export function Choice({ label, name, options, value, onChange }: ChoiceProps) {
  const id = useId()
  return (
    <>
      <label for={id}>{label}</label>
      <select id={id} name={name} value={value} onChange={onChange && ((event) => onChange(event.currentTarget.value))}>
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </>
  )
}

/** A box to tick. */
export const Tick = ({
  checked,
  onChange,
  children,
}: {
  readonly checked: boolean
  readonly onChange: (checked: boolean) => void
  readonly children: ComponentChildren
}) => (
  <label class="choice">
    <input type="checkbox" checked={checked} onChange={(event) => onChange(event.currentTarget.checked)} />
    <span>{children}</span>
  </label>
)
