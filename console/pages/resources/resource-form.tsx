import { useState } from 'preact/hooks'
import type { Input } from '../../api/procedures.js'
import { Choice, Field, Tick } from '../../ui/forms/fields.js'
import { ErrorNote } from '../../ui/notes.js'
import { PolicyFields } from './policy-fields.js'
import { ScopeFields } from './scope-fields.js'

/** The settings of a resource, as its organisation chooses them. */
export type Settings = Omit<Input<'resources.register'>, 'uri'>

export const NEW_RESOURCE: Settings = { name: '', scopes: [{ scope: '', words: '' }], policy: { mode: 'ask' }, bearer: 'refused' }

interface ResourceFormProps {
  readonly settings: Settings
  readonly hasUri?: boolean
  readonly verb: string
  readonly action: { readonly isRunning: boolean; readonly error?: unknown }
  /** Optional settings that are empty are absent. */
  readonly onSubmit: (settings: Settings, uri: string) => Promise<void>
}

/** Edits the settings of a resource. */
export function ResourceForm({ settings, hasUri = false, verb, action, onSubmit }: ResourceFormProps) {
  const [uri, setUri] = useState('')
  const [edited, setEdited] = useState(settings)
  const set = (change: Partial<Settings>) => setEdited((old) => ({ ...old, ...change }))
  const submit = (event: Event) => {
    event.preventDefault()
    return onSubmit(withoutEmpty(edited), uri)
  }
  return (
    <form onSubmit={submit}>
      {hasUri && (
        <Field
          label="URI"
          name="uri"
          required
          value={uri}
          onInput={setUri}
          hint="An https URI, such as https://files.acme.com/mcp. Tokens name the resource by it. It never changes."
        />
      )}
      <Field label="Name" name="name" required value={edited.name} onInput={(name) => set({ name })} />
      <Field label="Description" name="description" value={edited.description ?? ''} onInput={(description) => set({ description })} />
      <Field
        label="Documentation"
        name="documentation"
        value={edited.documentation ?? ''}
        onInput={(documentation) => set({ documentation })}
        hint="An https URL for developers."
      />
      <ScopeFields scopes={edited.scopes} onChange={(scopes) => set({ scopes })} />
      <PolicyFields policy={edited.policy ?? { mode: 'ask' }} onChange={(policy) => set({ policy })} />
      <Choice
        label="Bearer tokens"
        name="bearer"
        value={edited.bearer ?? 'refused'}
        options={[
          ['refused', 'refused: every token is bound to a key of its client'],
          ['allowed', 'allowed, if the operator of the registry allows them too'],
        ]}
        onChange={(value) => set({ bearer: value === 'allowed' ? 'allowed' : 'refused' })}
      />
      <Field
        label="Agent of its server"
        name="operatorAgentId"
        value={edited.operatorAgentId ?? ''}
        onInput={(operatorAgentId) => set({ operatorAgentId })}
        hint="The id of an agent of your organisation, under which the server follows revocations and introspects tokens."
      />
      <Tick
        checked={edited.understands?.includes('max_calls') ?? false}
        onChange={(checked) => set({ understands: checked ? ['max_calls'] : [] })}
      >
        The server enforces the number of calls of a token (max_calls)
      </Tick>
      <ErrorNote error={action.error} />
      <button type="submit" disabled={action.isRunning}>
        {verb}
      </button>
    </form>
  )
}

const OPTIONAL = ['description', 'documentation', 'operatorAgentId'] as const

function withoutEmpty(settings: Settings): Settings {
  const given = { ...settings }
  for (const name of OPTIONAL) if (given[name]?.trim() === '') delete given[name]
  if (given.understands?.length === 0) delete given.understands
  return given
}
