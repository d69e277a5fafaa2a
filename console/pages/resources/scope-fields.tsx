import { Field, Tick } from '../../ui/forms/fields.js'
import type { Settings } from './resource-form.js'

type Scope = Settings['scopes'][number]

interface ScopeFieldsProps {
  readonly scopes: readonly Scope[]
  readonly onChange: (scopes: Scope[]) => void
}

/** The scopes of a resource, each in words that people read before they consent. */
export function ScopeFields({ scopes, onChange }: ScopeFieldsProps) {
  const change = (at: number, fields: Partial<Scope>) => onChange(scopes.map((scope, i) => (i === at ? { ...scope, ...fields } : scope)))
  return (
    <>
      {scopes.map((scope, i) => (
        <fieldset key={i}>
          <legend>Scope {i + 1}</legend>
          <OneScope scope={scope} onChange={(fields) => change(i, fields)} />
          {scopes.length > 1 && (
            <button
              type="button"
              class="quiet small"
              aria-label={`Remove scope ${i + 1}`}
              onClick={() => onChange(scopes.filter((_, at) => at !== i))}
            >
              Remove
            </button>
          )}
        </fieldset>
      ))}
      <button type="button" class="quiet small" onClick={() => onChange([...scopes, { scope: '', words: '' }])}>
        Add a scope
      </button>
    </>
  )
}

function OneScope({ scope, onChange }: { readonly scope: Scope; readonly onChange: (fields: Partial<Scope>) => void }) {
  return (
    <>
      <Field
        label="Scope"
        name="scope"
        required
        value={scope.scope}
        onInput={(text) => onChange({ scope: text })}
        hint="Such as files:read."
      />
      <Field
        label="In words"
        name="words"
        required
        value={scope.words}
        onInput={(words) => onChange({ words })}
        hint="People read this before they consent. Such as: Read your files."
      />
      <Field
        label="Token lifetime in seconds"
        name="seconds"
        type="number"
        value={String(scope.seconds ?? 300)}
        onInput={(text) => onChange({ seconds: Number(text) })}
        hint="30 to 3600."
      />
      <Field
        label="Budget units per call"
        name="cost"
        type="number"
        value={String(scope.cost ?? 0)}
        onInput={(text) => onChange({ cost: Number(text) })}
      />
      <Tick checked={scope.approval === 'organisation'} onChange={(checked) => onChange({ approval: checked ? 'organisation' : 'none' })}>
        A member of the organisation approves each token with this scope
      </Tick>
    </>
  )
}
