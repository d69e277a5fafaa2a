import { useState } from 'preact/hooks'
import { useConsole } from '../../api/console.js'
import type { Output } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { useQuery } from '../../api/use-query.js'
import { isAdministrator } from '../../api/viewer.js'
import { Choice, Field } from '../../ui/forms/fields.js'
import { ErrorNote, Result } from '../../ui/notes.js'
import { Facts, Page } from '../../ui/page.js'
import { Foreign } from '../../ui/text.js'

type Rules = Output<'clients.rules'>

const RULES = [
  ['none', 'No external client'],
  ['admitted', 'Clients that the organisation registered, admitted or allowed'],
  ['any', 'Every client'],
] as const satisfies readonly (readonly [Rules['externalClients'], string])[]

/** Which external clients the people of the organisation may consent to. */
export function ClientRulesPage() {
  const { viewer } = useConsole()
  const rules = useQuery('clients.rules', {})
  const mayChange = isAdministrator(viewer)
  return (
    <Page title="Rules about external clients">
      <Result of={rules}>{(data) => (mayChange ? <RulesForm rules={data} /> : <RulesFacts rules={data} />)}</Result>
    </Page>
  )
}

const RulesFacts = ({ rules: { externalClients, adminScopes } }: { readonly rules: Rules }) => (
  <Facts
    of={{
      'People may consent to': RULES.find(([rule]) => rule === externalClients)?.[1],
      'Scopes that an administrator must approve':
        adminScopes.length === 0 ? 'none' : adminScopes.map((scope) => <Foreign key={scope} text={scope} />),
    }}
  />
)

function RulesForm({ rules }: { readonly rules: Rules }) {
  const change = useAction('clients.setRules', ['clients'])
  const [rule, setRule] = useState<string>(rules.externalClients)
  const [scopes, setScopes] = useState(rules.adminScopes.join(' '))
  const [isSaved, setSaved] = useState(false)
  const externalClients = RULES.find(([known]) => known === rule)?.[0]
  const save = async (event: Event) => {
    event.preventDefault()
    const adminScopes = scopes.split(/\s+/).filter((scope) => scope !== '')
    setSaved((await change.run({ ...(externalClients && { externalClients }), adminScopes })) !== undefined)
  }
  return (
    <form onSubmit={save} onInput={() => setSaved(false)}>
      <Choice label="People may consent to" name="externalClients" options={RULES} value={rule} onChange={setRule} />
      <Field
        label="Scopes that an administrator must approve"
        name="adminScopes"
        value={scopes}
        onInput={setScopes}
        hint="Separated by spaces. A person cannot allow them before an administrator has approved."
      />
      <p class="hint">Existing consents stay valid.</p>
      <ErrorNote error={change.error} />
      <button type="submit" disabled={change.isRunning}>
        Save
      </button>
      <output>{isSaved && 'Saved.'}</output>
    </form>
  )
}
